import { idOf, isSound, type Value } from "./bson.ts";
import { DocumentFiles } from "./files.ts";
import { writeKey } from "./key.ts";
import { PackWriter, type DocumentPack } from "./pack.ts";
import { isDocumentPath } from "./place.ts";
import { storedFiles, type DocumentSource } from "./storedfiles.ts";

/** Bytes that are read before they are sent: few at first, so that the server has something to do. */
const firstPack = 2_097_152;
/** How much longer the next may be: as much as can be read while one is inserted. */
const growth = 1.4;
/** Room for the largest document, 16 MiB and what a server adds of its own. */
const lastPack = 20_971_520;
/** So many files are read before something else gets a turn. */
const filesAtOnce = 100;

/**
 * The documents of a collection in packs, in the order in which they are to be inserted; undefined now and then, where something else may have a turn.
 * Throws what reading throws.
 */
export function* readPacks(source: DocumentSource): Generator<DocumentPack | undefined, "done"> {
  const files = new DocumentFiles(source.directory);
  let pack = new PackWriter(firstPack);
  let looked = 0;
  for (const file of storedFiles(source)) {
    looked += 1;
    if (looked % filesAtOnce === 0) yield undefined;
    let bytes = pack.read(files, file);
    while (pack.isLong || (bytes === "full" && !(pack.isEmpty && pack.capacity >= lastPack))) {
      yield pack.finish(source.capped);
      pack = new PackWriter(Math.min(Math.ceil(pack.capacity * growth), lastPack));
      bytes = pack.read(files, file);
    }
    keep(pack, file, bytes === "full" ? undefined : bytes);
  }
  yield pack.finish(source.capped);
  return "done";
}

const key = new Uint32Array(4);

/** Keeps a document that is as its file's name says. */
function keep(pack: PackWriter, file: string, bytes: Uint8Array | undefined): void {
  const id = bytes === undefined ? undefined : idOfSound(bytes);
  if (bytes === undefined || id === undefined || !isDocumentPath(file, id)) {
    pack.leaveOut(file);
    return;
  }
  writeKey(id, key);
  pack.keep(id, bytes, key);
}

function idOfSound(bytes: Uint8Array): Value | undefined {
  return isSound(bytes) ? idOf(bytes) : undefined;
}
