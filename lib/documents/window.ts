import { type Value, types } from "./bson.ts";
import type { DocumentFiles } from "./files.ts";

/*
 * Documents of files that are read before they are inserted, in one piece of memory. They come from the directories in
 * the order of a hash; a server's index takes them in in half the time where they come in its own order.
 */
export class DocumentWindow {
  readonly capacity: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Where each begins, and where the next one would. */
  #ends: Uint32Array;
  /** Three words for each by which they are sorted. */
  #ranks: Uint32Array;
  #count = 0;

  /** `capacity`: so many bytes. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity);
    this.#ends = new Uint32Array(1024);
    this.#ranks = new Uint32Array(3 * 1024);
  }

  get isEmpty(): boolean {
    return this.#count === 0;
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
  keep(id: Value, bytes: Uint8Array): void {
    if (this.#count + 1 >= this.#ends.length) {
      this.#ends = doubled(this.#ends);
      this.#ranks = doubled(this.#ranks);
    }
    writeRank(id, this.#ranks, this.#count * 3);
    const end = this.#end + bytes.length;
    this.#count += 1;
    this.#ends[this.#count] = end;
  }

  /** What was kept, in batches: as it came, or about in the order of the ids. */
  *batches(
    inOrder: boolean,
    { documents, bytes }: { readonly documents: number; readonly bytes: number },
  ): Generator<readonly Uint8Array[]> {
    let batch: Uint8Array[] = [];
    let length = 0;
    for (const index of inOrder ? this.#indexes() : this.#sorted()) {
      const each = this.#bytes.subarray(this.#ends[index], this.#ends[index + 1]);
      if (batch.length >= documents || (batch.length > 0 && length + each.length > bytes)) {
        yield batch;
        [batch, length] = [[], 0];
      }
      batch.push(each);
      length += each.length;
    }
    if (batch.length > 0) yield batch;
  }

  get #end(): number {
    return this.#ends[this.#count] ?? 0;
  }

  #indexes(): Uint32Array {
    return Uint32Array.from({ length: this.#count }, (_, at) => at);
  }

  #sorted(): Uint32Array {
    const ranks = this.#ranks;
    return this.#indexes().toSorted((a, b) => {
      const [x, y] = [a * 3, b * 3];
      return (
        (ranks[x] ?? 0) - (ranks[y] ?? 0) ||
        (ranks[x + 1] ?? 0) - (ranks[y + 1] ?? 0) ||
        (ranks[x + 2] ?? 0) - (ranks[y + 2] ?? 0)
      );
    });
  }
}

function doubled(words: Uint32Array): Uint32Array {
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
