import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { exists, removeIfEmpty } from "./held.ts";
import { refuseLinks, refuseLinksOfPlace } from "./links.ts";
import { ownDirectory, placeOf, stagingDirectory, type CollectionPlace } from "./place.ts";

/*
 * A collection that the export does not hold yet is written to a directory of the exporter's own, and gets
 * its place by one rename when all of it is there. Nobody sees a part of it, so its files need no
 * temporary names. Where a run is killed, the next one reads what was written and goes on.
 */

/** Whether a collection is staged: its directory is not there, and a rename can bring it there. */
export function isStaged(root: string, { directory }: CollectionPlace): boolean {
  if (exists(directory)) return false;
  const parent = statSync(path.dirname(directory), { throwIfNoEntry: false });
  // A database can be a file system of its own.
  return parent === undefined || parent.dev === statSync(path.join(root, ownDirectory)).dev;
}

/** Brings what was staged to its place. Throws failed(). */
export function publish({ staging, directory }: CollectionPlace): void {
  try {
    mkdirSync(path.dirname(directory), { recursive: true, mode: 0o700 });
    renameSync(staging, directory);
  } catch (error) {
    if (systemCode(error) === "EXDEV") throw otherMount(staging, directory, error);
    throw writeFailure(directory, error);
  }
  removeIfEmpty(path.dirname(staging));
}

/** Between mounts nothing can be renamed, though they may be of one file system. With a directory there, nothing is staged. */
function otherMount(staging: string, directory: string, cause: unknown): Error {
  mkdirSync(directory, { mode: 0o700 });
  remove(staging);
  return failed(`cannot move a new collection to ${directory}: it is on another mount`, {
    hint: "run it again: the collection will be written in its place",
    cause,
  });
}

/** Removes what is staged of collections that are none any more. Throws failed(). */
export function clearStaging(
  root: string,
  isKept: (database: string, collection: string) => boolean,
): void {
  const top = stagingDirectory(root);
  if (exists(top) && isStray(top)) return;
  for (const database of namesIn(top)) {
    if (isStray(path.join(top, database))) continue;
    for (const collection of namesIn(path.join(top, database))) {
      if (isKept(database, collection)) continue;
      const place = placeOf(root, database, collection);
      refuseLinksOfPlace(place);
      remove(place.staging);
      // They told of what was staged alone.
      if (!exists(place.directory))
        for (const file of [place.state, place.unfinished]) remove(file);
      removeIfEmpty(path.dirname(place.state));
    }
    removeIfEmpty(path.join(top, database));
  }
  removeIfEmpty(top);
}

/** Removes what is no directory, such as a file that a file manager left. */
function isStray(file: string): boolean {
  refuseLinks(file);
  if (lstatSync(file).isDirectory()) return false;
  remove(file);
  return true;
}

function namesIn(directory: string): readonly string[] {
  refuseLinks(directory);
  try {
    return readdirSync(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw failed(`cannot list ${directory} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { recursive: true, force: true });
  } catch (error) {
    throw failed(`cannot remove ${file} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
}
