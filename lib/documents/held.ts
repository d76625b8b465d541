import { lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { isDocumentName } from "./names.ts";
import {
  isShardName,
  metadataName,
  orderName,
  ownDirectory,
  placeOf,
  temporaryName,
} from "./place.ts";

/** A collection's directories by their names. */
export interface HeldCollection {
  readonly database: string;
  readonly collection: string;
}

/** The directories of databases that an export holds. */
export function heldDatabases(root: string): readonly string[] {
  return directoriesIn(root).filter((name) => name !== ownDirectory);
}

/** The directories of collections that a database's directory holds. */
export function heldCollections(root: string, database: string): readonly HeldCollection[] {
  return directoriesIn(path.join(root, database)).map((collection) => ({ database, collection }));
}

/** Whether a directory holds a collection: what we wrote of it says so. */
export function isCollection(root: string, { database, collection }: HeldCollection): boolean {
  return exists(path.join(root, database, collection, metadataName));
}

/**
 * Removes a collection: the files that are ours by their names, and the directories that are empty then.
 * Returns how many documents went, and what is still there. Throws failed().
 */
export function removeCollection(
  root: string,
  held: HeldCollection,
): { readonly documents: number; readonly left: boolean } {
  const place = placeOf(root, held.database, held.collection);
  // Without its state, what is left by a kill is read anew.
  for (const file of [place.state, place.unfinished]) rmSync(file, { force: true });
  removeIfEmpty(path.dirname(place.state));
  let documents = 0;
  for (const shard of directoriesIn(place.directory).filter(isShardName)) {
    const directory = path.join(place.directory, shard);
    for (const name of readdirSync(directory).filter(isDocumentName)) {
      remove(path.join(directory, name));
      documents += 1;
    }
    removeIfEmpty(directory);
  }
  // By the last of them the directory is known to be ours.
  for (const name of [temporaryName, orderName, metadataName])
    remove(path.join(place.directory, name));
  const gone = removeIfEmpty(place.directory);
  removeIfEmpty(path.dirname(place.directory));
  return { documents, left: !gone };
}

/** How many documents a collection's directory holds. */
export function countDocuments(root: string, { database, collection }: HeldCollection): number {
  const directory = path.join(root, database, collection);
  return directoriesIn(directory)
    .filter(isShardName)
    .reduce(
      (sum, shard) => sum + readdirSync(path.join(directory, shard)).filter(isDocumentName).length,
      0,
    );
}

/** What lies in a directory and is no export; undefined where all could be one. */
export function foreignEntry(root: string): string | undefined {
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    const { name } = entry;
    if (!entry.isDirectory()) return name;
    if (name === ownDirectory || name === "lost+found") continue;
    const held = heldCollections(root, name);
    if (held.length === 0 || !held.some((each) => isCollection(root, each))) return name;
  }
  return undefined;
}

/** Whether an export has been here before. */
export function isExport(root: string): boolean {
  return exists(path.join(root, ownDirectory));
}

function directoriesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw failed(`cannot list ${directory} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT")
      throw failed(`cannot remove ${file} (${systemCode(error) ?? String(error)})`, {
        cause: error,
      });
  }
}

/** Whether it is gone. */
function removeIfEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return true;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}
