import type { Entry } from "../manifest/entry.ts";
import { hashInto, wordsPerHash, type HashKey } from "./keyedhash.ts";

const tab = 9;
const lineFeed = 10;
const letterT = 84;
/** Length of `2006-01-02T15:04:05`: finer times come and go with rclone's version. */
const wholeSeconds = 19;

/** Gets a line's bytes: bytes[start, end), without its end of line. */
export type OnLine = (bytes: Uint8Array, start: number, end: number) => void;

/** Calls `onLine` for every line of a stream. No line becomes a string: a million of them would take long. */
export async function scanLines(stream: AsyncIterable<Uint8Array>, onLine: OnLine): Promise<void> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const last = bytes.lastIndexOf(lineFeed);
    let start = 0;
    for (let at = 0; at <= last; at += 1) {
      if (bytes[at] !== lineFeed) continue;
      onLine(bytes, start, at);
      start = at + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) onLine(rest, 0, rest.length);
}

/**
 * Files as keys and sizes, by their place in a sorted list. The key is a hash of path, size and time,
 * so that a file that changed is another one; an entry that is marked uncertain is another one too.
 */
export class FileKeys {
  readonly hashKey: HashKey;
  count = 0;
  /** Two words a file. */
  keys: Uint32Array;
  /** Bytes; -1 where the backend can't tell. */
  sizes: Float64Array;

  /** Room for `expected` files is made at once; more may come. */
  constructor(hashKey: HashKey, expected = 0) {
    this.hashKey = hashKey;
    const room = Math.max(expected, 16);
    this.keys = new Uint32Array(room * wordsPerHash);
    this.sizes = new Float64Array(room);
  }

  /** Takes a line of path, size and time (see manifest/entry.ts); false when it is none. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.count === this.sizes.length) this.#grow();
    const size = lineKey(this.keys, this.count * wordsPerHash, bytes, start, end, this.hashKey);
    if (size === undefined) return false;
    this.sizes[this.count] = size;
    this.count += 1;
    return true;
  }

  /** Takes a file by itself. */
  addFile({ path, size, time }: Pick<Entry, "path" | "size" | "time">): void {
    const line = Buffer.from(`${path}\t${size}\t${time}`, "latin1");
    this.add(line, 0, line.length);
  }

  /** Takes the key that stands at `at` of `keys`, of a file of unknown size. */
  addKey(keys: Uint32Array, at: number): void {
    if (this.count === this.sizes.length) this.#grow();
    for (let word = 0; word < wordsPerHash; word += 1)
      this.keys[this.count * wordsPerHash + word] = keys[at + word] ?? 0;
    this.sizes[this.count] = -1;
    this.count += 1;
  }

  #grow(): void {
    const keys = new Uint32Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    const sizes = new Float64Array(this.sizes.length * 2);
    sizes.set(this.sizes);
    this.sizes = sizes;
  }
}

/** Puts the key of a line into `into` and returns the file's size; undefined when it is no file's line. */
export function lineKey(
  into: Uint32Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  hashKey: HashKey,
): number | undefined {
  const afterPath = bytes.indexOf(tab, start) + 1;
  if (afterPath <= start + 1 || afterPath > end) return undefined;
  const size = sizeAt(bytes, afterPath, end);
  const time = bytes.indexOf(tab, afterPath) + 1;
  if (size === undefined || time + wholeSeconds > end) return undefined;
  // rclone before 1.66 lists a space here.
  if (bytes[time + 10] !== letterT) bytes[time + 10] = letterT;
  const uncertain = bytes[end - 2] === tab;
  hashInto(into, at, bytes, start, uncertain ? end : time + wholeSeconds, hashKey);
  return size;
}

/** The size that a line tells, -1 where the backend could not; undefined when it is no file's line. */
export function lineSize(bytes: Uint8Array, start: number, end: number): number | undefined {
  const afterPath = bytes.indexOf(tab, start) + 1;
  return afterPath <= start + 1 ? undefined : sizeAt(bytes, afterPath, end);
}

/** Undefined where no number stands before the next tab of the line. */
function sizeAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  const negative = bytes[start] === 0x2d;
  let size = 0;
  for (let at = negative ? start + 1 : start; at < end; at += 1) {
    if (bytes[at] === tab) return negative ? -1 : size;
    const value = (bytes[at] ?? 0) - 0x30;
    if (value < 0 || value > 9) return undefined;
    size = size * 10 + value;
  }
  return undefined;
}

/** Files that are known by their keys, two words each. */
export interface Keyed {
  readonly keys: Uint32Array;
  readonly count: number;
}

/** Finds files by their keys: open addressing, at most half full. */
export class KeyTable {
  readonly #keys: Uint32Array;
  /** Place of the file + 1; 0 where there is none. */
  readonly #slots: Uint32Array;
  readonly #mask: number;

  constructor({ keys, count }: Keyed) {
    this.#keys = keys;
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2)));
    this.#mask = this.#slots.length - 1;
    for (let file = 0; file < count; file += 1) {
      const at = file * wordsPerHash;
      const slot = this.#slotOf(keys[at] ?? 0, keys[at + 1] ?? 0);
      if (this.#slots[slot] === 0) this.#slots[slot] = file + 1;
    }
  }

  /** The place of the file whose key stands at `at` of `keys`; -1 when there is none. */
  find(keys: Uint32Array, at: number): number {
    return (this.#slots[this.#slotOf(keys[at] ?? 0, keys[at + 1] ?? 0)] ?? 0) - 1;
  }

  /** Where a key is, or would be put. */
  #slotOf(low: number, high: number): number {
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const file = this.#slots[slot] ?? 0;
      if (file === 0) return slot;
      const at = (file - 1) * wordsPerHash;
      if (this.#keys[at] === low && this.#keys[at + 1] === high) return slot;
    }
  }
}
