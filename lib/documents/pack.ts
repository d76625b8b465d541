import { type Value, types } from "./bson.ts";
import type { DocumentFiles } from "./files.ts";
import type { Key } from "./key.ts";

/**
 * Documents of files that are read before they are inserted, in one piece of memory. They come from the directories in
 * the order of a hash; a server's index takes them in in half the time where they come in its own order.
 */
export interface DocumentPack {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each begins, and where the next one would. */
  readonly ends: Uint32Array<ArrayBuffer>;
  /** Of each, the key of its id, four words, and three by which they are sorted. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** The documents in the order in which they are to be inserted. */
  readonly order: Uint32Array<ArrayBuffer>;
  /** Files that hold no document of their name. */
  readonly damaged: readonly string[];
}

const packWords = 7;
const ranksAt = 4;

/** So many are enough, however short they are: whoever reads them in should hear of them. */
const mostFiles = 100_000;

/** Fills a pack. */
export class PackWriter {
  readonly capacity: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #ends = new Uint32Array(1024);
  #words = new Uint32Array(packWords * 1024);
  #count = 0;
  readonly #damaged: string[] = [];

  /** `capacity`: so many bytes. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity);
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Whether it holds as many files as it may. */
  get isLong(): boolean {
    return this.#count + this.#damaged.length >= mostFiles;
  }

  /** Reads a file behind the last one that was kept; undefined where there is no such file, "full" where it has no room. */
  read(files: DocumentFiles, file: string): Uint8Array | "full" | undefined {
    const at = this.#end;
    const length = files.readInto(file, this.#bytes, at);
    if (length === undefined) return undefined;
    // It may be longer than what was read.
    return at + length >= this.capacity ? "full" : this.#bytes.subarray(at, at + length);
  }

  /** Keeps what was read last. */
  keep(id: Value, bytes: Uint8Array, key: Key): void {
    if (this.#count + 1 >= this.#ends.length) {
      this.#ends = doubled(this.#ends);
      this.#words = doubled(this.#words);
    }
    const at = this.#count * packWords;
    this.#words.set(key, at);
    writeRank(id, this.#words, at + ranksAt);
    const end = this.#end + bytes.length;
    this.#count += 1;
    this.#ends[this.#count] = end;
  }

  /** Writes down that a file holds no document. */
  leaveOut(file: string): void {
    this.#damaged.push(file);
  }

  /** What was written, in this order or about in that of the ids. Nothing may be written afterwards. */
  finish(inOrder: boolean): DocumentPack {
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index);
    if (!inOrder) sortByRank(order, this.#words);
    return {
      ...{ bytes: this.#bytes, ends: this.#ends, words: this.#words },
      ...{ order, damaged: this.#damaged },
    };
  }

  get #end(): number {
    return this.#ends[this.#count] ?? 0;
  }
}

/** Copies the key of one of a pack's documents. */
export function copyKey({ words }: DocumentPack, index: number, key: Key): void {
  const at = index * packWords;
  for (let word = 0; word < 4; word += 1) key[word] = words[at + word] ?? 0;
}

/** The documents of a pack that `takes` wants, which is asked for each once with its place, in batches. */
export function* batches(
  pack: DocumentPack,
  takes: (bytes: Uint8Array, index: number) => boolean,
  most: { readonly documents: number; readonly bytes: number },
): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let length = 0;
  for (const index of pack.order) {
    const each = pack.bytes.subarray(pack.ends[index], pack.ends[index + 1]);
    if (!takes(each, index)) continue;
    if (batch.length >= most.documents || (batch.length > 0 && length + each.length > most.bytes)) {
      yield batch;
      [batch, length] = [[], 0];
    }
    batch.push(each);
    length += each.length;
  }
  if (batch.length > 0) yield batch;
}

function sortByRank(indexes: Uint32Array, words: Uint32Array): void {
  indexes.sort((a, b) => {
    const [x, y] = [a * packWords + ranksAt, b * packWords + ranksAt];
    return (
      (words[x] ?? 0) - (words[y] ?? 0) ||
      (words[x + 1] ?? 0) - (words[y + 1] ?? 0) ||
      (words[x + 2] ?? 0) - (words[y + 2] ?? 0)
    );
  });
}

function doubled(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(words.length * 2);
  longer.set(words);
  return longer;
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
