import { lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { isDocumentName } from "./names.ts";
import { refuseLinks, refuseLinksOfPlace } from "./links.ts";
import {
  isShardName,
  metadataName,
  orderName,
  ownDirectory,
  placeOf,
  temporaryName,
  type CollectionPlace,
} from "./place.ts";

/** A collection's directories by their names. */
export interface HeldCollection {
  readonly database: string;
  readonly collection: string;
}

/** What a file system of its own may have at its top; no database gets such a name. */
const recovered = "lost+found";

/** The directories of databases that an export holds. */
export function heldDatabases(root: string): readonly string[] {
  return directoriesIn(root).filter((name) => name !== ownDirectory && name !== recovered);
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
  refuseLinksOfPlace(place);
  // Without its state, what is left by a kill is read anew.
  for (const file of [place.state, place.unfinished]) rmSync(file, { force: true });
  removeIfEmpty(path.dirname(place.state));
  const documents = removeDocuments(place);
  removeTemporaries(place.directory);
  // By the last of them the directory is known to be ours.
  for (const name of [orderName, metadataName]) remove(path.join(place.directory, name));
  const gone = removeIfEmpty(place.directory);
  removeIfEmpty(path.dirname(place.directory));
  return { documents, left: !gone };
}

function removeDocuments({ directory }: CollectionPlace): number {
  let documents = 0;
  for (const shard of directoriesIn(directory).filter(isShardName)) {
    const below = path.join(directory, shard);
    for (const name of readdirSync(below).filter(isDocumentName)) {
      remove(path.join(below, name));
      documents += 1;
    }
    removeIfEmpty(below);
  }
  return documents;
}

/** Removes the documents of what is a view now, and what is remembered of them. Returns how many. Throws failed(). */
export function removeDocumentsOfView(place: CollectionPlace): number {
  for (const file of [place.state, place.unfinished]) rmSync(file, { force: true });
  const documents = removeDocuments(place);
  removeTemporaries(place.directory);
  remove(path.join(place.directory, orderName));
  return documents;
}

/** Removes of a directory that is no collection any more what is empty or has temporary names of ours; tells whether it is gone. */
export function tidyLeftover(root: string, { database, collection }: HeldCollection): boolean {
  const directory = path.join(root, database, collection);
  refuseLinks(path.dirname(directory), directory);
  removeTemporaries(directory);
  for (const shard of directoriesIn(directory).filter(isShardName))
    removeIfEmpty(path.join(directory, shard));
  const gone = removeIfEmpty(directory);
  if (gone) removeIfEmpty(path.dirname(directory));
  return gone;
}

/** What a killed run may have left: the names that files have until they are renamed. */
function removeTemporaries(directory: string): void {
  for (const name of readdirSync(directory))
    if (name === temporaryName || /^\.(?:metadata\.bson|order\.txt)\.\d+-\d+\.tmp$/.test(name))
      remove(path.join(directory, name));
}

/** How many documents a collection's directory holds. */
export function countDocuments(root: string, { database, collection }: HeldCollection): number {
  return countDocumentsIn(path.join(root, database, collection));
}

/** The same by its path. */
export function countDocumentsIn(directory: string): number {
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
    if (name === ownDirectory || name === recovered) continue;
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

/** Whether something has that name, a link to nothing too. */
export function exists(file: string): boolean {
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

/** Removes a directory if nothing is in it; tells whether it is gone. */
export function removeIfEmpty(directory: string): boolean {
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
