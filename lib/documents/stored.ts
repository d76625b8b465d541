import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { failed, refused } from "../errors.ts";
import { DocumentFiles } from "./files.ts";
import { countDocuments, heldCollections, heldDatabases, isCollection } from "./held.ts";
import { isUnfinished } from "./mark.ts";
import { readMetadata, type Metadata } from "./metadata.ts";
import { collectionPlace, metadataName, placeOf, runMark } from "./place.ts";

/** A collection as an export holds it. */
export interface StoredCollection {
  readonly metadata: Metadata;
  readonly directory: string;
  readonly files: DocumentFiles;
}

export interface StoredOptions {
  /** Whether what an export left in the middle is taken as it is. */
  readonly allowUnfinished: boolean;
  /** Whether a collection is left out; of one without metadata, by the names of its directories. */
  readonly isExcluded: (database: string, collection: string) => boolean;
  /** Gets a directory that holds no collection. */
  readonly onLeftover: (directory: string) => void;
}

/**
 * The collections that a directory holds. Throws failed() for one that is no export or is damaged,
 * refused() for one that an export left in the middle.
 */
export function storedCollections(
  root: string,
  { allowUnfinished, isExcluded, onLeftover }: StoredOptions,
): readonly StoredCollection[] {
  const unfinishedHint =
    "run mongo-export again, or restore from the last good backup; --allow-unfinished takes it as it is";
  if (!allowUnfinished && isUnfinished(root))
    throw refused(`${root}: an export was ended while it wrote there (${runMark(root)})`, {
      hint: unfinishedHint,
    });
  const found: StoredCollection[] = [];
  for (const database of heldDatabases(root)) {
    for (const held of heldCollections(root, database)) {
      if (!isCollection(root, held)) {
        const directory = path.join(root, database, held.collection);
        if (!isExcluded(database, held.collection) && countDocuments(root, held) > 0)
          throw failed(`${directory}: expected ${metadataName}, found none`, {
            hint: "bring the whole directory back from the backup, or leave it out with --exclude",
          });
        onLeftover(directory);
        continue;
      }
      const place = placeOf(root, held.database, held.collection);
      if (!allowUnfinished && existsSync(place.unfinished))
        throw refused(`${place.directory}: an export was ended while it wrote there`, {
          hint: unfinishedHint,
        });
      const file = path.join(place.directory, metadataName);
      const metadata = metadataOf(file, isExcluded(database, held.collection));
      if (metadata === undefined) {
        onLeftover(place.directory);
        continue;
      }
      const right = collectionPlace(root, metadata.database, metadata.collection).directory;
      if (right !== place.directory)
        throw failed(`${file}: expected it in ${right}: it is that of another collection`);
      const { directory } = place;
      found.push({ metadata, directory, files: new DocumentFiles(directory) });
    }
  }
  if (found.length === 0)
    throw failed(`--from: expected an export of mongo-export in ${root}, found none`);
  return found;
}

/** Undefined for a damaged one of a collection that is left out by the names of its directories. */
function metadataOf(file: string, isExcluded: boolean): Metadata | undefined {
  try {
    return readMetadata(readFileSync(file), file);
  } catch (error) {
    if (isExcluded) return undefined;
    throw error;
  }
}
