import { idOf, isSound, types, type Value } from "./bson.ts";
import { hashContent } from "./content.ts";
import type { DocumentFiles } from "./files.ts";
import { writeKey } from "./key.ts";
import { documentPath } from "./place.ts";
import { storedFiles, type StoredFiles } from "./stored.ts";

/*
 * Documents of files that are read before they are inserted, in one piece of memory. They come from the directories in
 * the order of a hash; a server's index takes them in in half the time where they come in its own order.
 */

/** Documents one after another, with what is to be known of each; it can go from a thread to another. */
export interface DocumentWindow {
  readonly count: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each begins, and where the next one would. */
  readonly ends: Words;
  /** Three words for each by which they are sorted. */
  readonly ranks: Words;
  /** Four words for each: see key.ts, and hashContent. */
  readonly keys: Words;
  readonly contents: Words;
  /** Files that hold no document of their name. */
  readonly damaged: readonly string[];
  /** How many files were looked at from the first one on, and whether these were all. */
  readonly looked: number;
  readonly isLast: boolean;
}

type Words = Uint32Array<ArrayBuffer>;

/** Bytes of a window: few at first, so that the server has something to do. */
const firstWindow = 2_097_152;
/** Room for the largest document, 16 MiB and what a server adds of its own. */
const lastWindow = 20_971_520;

/** Reads the files of a collection but the first so many, window by window. Throws the system's errors, and failed(). */
export function* windowsOf(stored: StoredFiles, skip: number): Generator<DocumentWindow> {
  let looked = 0;
  let filling = new Filling(firstWindow);
  for (const file of storedFiles(stored)) {
    looked += 1;
    if (looked <= skip) continue;
    while (!filling.take(stored.files, file)) {
      yield filling.done(looked - 1, false);
      filling = new Filling(Math.min(filling.capacity * 2, lastWindow));
    }
  }
  yield filling.done(looked, true);
}

class Filling {
  readonly capacity: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #damaged: string[] = [];
  #room = 1024;
  #ends: Words = new Uint32Array(this.#room + 1);
  #ranks: Words = new Uint32Array(3 * this.#room);
  #keys: Words = new Uint32Array(4 * this.#room);
  #contents: Words = new Uint32Array(4 * this.#room);
  #count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity);
  }

  /** Reads a file behind the last one; false where it has no room, but might have in another window. */
  take(files: DocumentFiles, file: string): boolean {
    const at = this.#ends[this.#count] ?? 0;
    const length = files.readInto(file, this.#bytes, at);
    // It may be longer than what was read.
    const isCut = length !== undefined && at + length >= this.capacity;
    if (isCut && !(this.#count === 0 && this.capacity >= lastWindow)) return false;
    const bytes = length === undefined || isCut ? undefined : this.#bytes.subarray(at, at + length);
    const id = bytes === undefined ? undefined : idOfSound(bytes);
    if (bytes === undefined || id === undefined || documentPath(id) !== file)
      this.#damaged.push(file);
    else this.#keep(id, bytes, at + bytes.length);
    return true;
  }

  done(looked: number, isLast: boolean): DocumentWindow {
    return {
      ...{ count: this.#count, bytes: this.#bytes, ends: this.#ends, ranks: this.#ranks },
      ...{ keys: this.#keys, contents: this.#contents, damaged: this.#damaged, looked, isLast },
    };
  }

  #keep(id: Value, bytes: Uint8Array, end: number): void {
    if (this.#count === this.#room) this.#grow();
    const at = this.#count;
    writeRank(id, this.#ranks, at * 3);
    writeKey(id, this.#keys.subarray(at * 4, at * 4 + 4));
    hashContent(bytes, this.#contents.subarray(at * 4, at * 4 + 4));
    this.#count += 1;
    this.#ends[this.#count] = end;
  }

  #grow(): void {
    this.#room *= 2;
    const longer = (words: Words, each: number, more = 0): Words => {
      const all = new Uint32Array(each * this.#room + more);
      all.set(words);
      return all;
    };
    this.#ends = longer(this.#ends, 1, 1);
    this.#ranks = longer(this.#ranks, 3);
    this.#keys = longer(this.#keys, 4);
    this.#contents = longer(this.#contents, 4);
  }
}

function idOfSound(bytes: Uint8Array): Value | undefined {
  return isSound(bytes) ? idOf(bytes) : undefined;
}

/** Documents of a window by their places, in batches: as they are given, or about in the order of the ids. */
export function* batchesOf(
  { bytes: all, ends, ranks }: DocumentWindow,
  places: Uint32Array,
  inOrder: boolean,
  { documents, bytes }: { readonly documents: number; readonly bytes: number },
): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let length = 0;
  for (const place of inOrder ? places : sorted(places, ranks)) {
    const each = all.subarray(ends[place], ends[place + 1]);
    if (batch.length >= documents || (batch.length > 0 && length + each.length > bytes)) {
      yield batch;
      [batch, length] = [[], 0];
    }
    batch.push(each);
    length += each.length;
  }
  if (batch.length > 0) yield batch;
}

function sorted(places: Uint32Array, ranks: Uint32Array): Uint32Array {
  return places.toSorted((a, b) => {
    const [x, y] = [a * 3, b * 3];
    return (
      (ranks[x] ?? 0) - (ranks[y] ?? 0) ||
      (ranks[x + 1] ?? 0) - (ranks[y + 1] ?? 0) ||
      (ranks[x + 2] ?? 0) - (ranks[y + 2] ?? 0)
    );
  });
}

/** Bytes before those that count, by type: lengths. */
const skipped: Readonly<Record<number, number>> = { [types.string]: 4, [types.binary]: 5 };
const numbers: ReadonlySet<number> = new Set([
  types.double,
  types.int32,
  types.int64,
  types.date,
  types.timestamp,
]);

/** Writes three words that are in order as ids of one type are in an index, negative floating point numbers aside. */
function writeRank({ type, bytes }: Value, words: Uint32Array, at: number): void {
  const isNumber = numbers.has(type);
  const from = skipped[type] ?? 0;
  for (let word = 0; word < 3; word += 1) {
    let rank = 0;
    for (let byte = 0; byte < 4; byte += 1) {
      const place = word * 4 + byte;
      rank = (rank << 8) | (bytes[isNumber ? bytes.length - 1 - place : from + place] ?? 0);
    }
    words[at + word] = rank;
  }
  // Of numbers, the highest bit is the sign.
  if (isNumber) words[at] = (words[at] ?? 0) ^ 0x8000_0000;
}
