import path from "node:path";
import { directoryName, documentName, isNameOf } from "./names.ts";
import { directoryOf } from "./key.ts";
import type { Value } from "./bson.ts";

/*
 * DIR/DATABASE/COLLECTION/HHH/NAME.bson is a document, DIR/DATABASE/COLLECTION/metadata.bson what is told
 * of its collection, order.txt beside it the order of a capped collection. DIR/.mongo-export/ is the
 * exporter's own: an import needs none of it.
 */
export const ownDirectory = ".mongo-export";
export const metadataName = "metadata.bson";
export const orderName = "order.txt";
/** A file is written under this name, in the directory of its collection, and renamed. */
export const temporaryName = ".new.tmp";

/** Where a collection is. */
export interface CollectionPlace {
  readonly directory: string;
  /** What the directory is until all of a new collection is in it. */
  readonly staging: string;
  readonly state: string;
  /** Exists while files may differ from the state. */
  readonly unfinished: string;
}

export function lockFile(root: string): string {
  return path.join(root, ownDirectory, "lock");
}

/** Which databases were exported from where. */
export function originsFile(root: string): string {
  return path.join(root, ownDirectory, "origins.json");
}

/** Exists from the first change of a run until all of it is done. */
export function runMark(root: string): string {
  return path.join(root, ownDirectory, "unfinished");
}

/** Holds the collections that are not whole yet. */
export function stagingDirectory(root: string): string {
  return path.join(root, ownDirectory, "new");
}

function stateDirectory(root: string): string {
  return path.join(root, ownDirectory, "state");
}

export function collectionPlace(
  root: string,
  database: string,
  collection: string,
): CollectionPlace {
  return placeOf(root, directoryName(database), directoryName(collection));
}

/** The same from the names of its directories. */
export function placeOf(root: string, database: string, collection: string): CollectionPlace {
  const state = path.join(stateDirectory(root), database, collection);
  return {
    directory: path.join(root, database, collection),
    staging: path.join(stagingDirectory(root), database, collection),
    state: `${state}.state`,
    unfinished: `${state}.unfinished`,
  };
}

/** The name of one of the 4096 directories of a collection. */
export function shardName(directory: number): string {
  return shardNames[directory] ?? "";
}

const shardNames = Array.from({ length: 4096 }, (_, at) => at.toString(16).padStart(3, "0"));

export function isShardName(name: string): boolean {
  return /^[0-9a-f]{3}$/.test(name);
}

/** HHH/NAME.bson of a document. */
export function documentPath(id: Value): string {
  return `${shardName(directoryOf(id))}/${documentName(id)}`;
}

/** Whether HHH/NAME.bson is that of the document with this id. */
export function isDocumentPath(file: string, id: Value): boolean {
  const directory = `${shardName(directoryOf(id))}/`;
  return file.startsWith(directory) && isNameOf(id, file, directory.length);
}
