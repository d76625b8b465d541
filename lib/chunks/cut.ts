const lineFeed = 10;

/** So many bytes from each end of a line say whether it ends a chunk; of a short one, all of them. */
const looked = 512;

/** The smallest and largest target that a chunk may have, in bytes. */
export const smallestTarget = 64 * 1024;
export const largestTarget = 64 * 1024 * 1024;

/**
 * Finds where a section is cut: at the ends of lines that their own content chooses, so that a change
 * moves the cuts beside it and no others. Chunks have about the target size on average: none is tested
 * before three quarters of it, lines are chosen seldom up to it and often above it, and at twice the
 * target the chunk ends anyway. After FastCDC's normalised chunking (Xia et al., USENIX ATC 2016),
 * with lines in the place of a sliding window.
 */
export class Cutter {
  /** No chunk is larger. */
  readonly most: number;
  readonly #target: number;
  readonly #least: number;
  /** The line that is looked at next, relative to the chunk's start. */
  #line: number | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(target: number) {
    this.#target = target;
    this.#least = (target / 4) * 3;
    this.most = 2 * target;
  }

  /** Begins a new chunk. */
  begin(): void {
    this.#line = undefined;
  }

  /**
   * The end of the chunk that begins at `start`; undefined where it needs more bytes than those up to
   * `limit`. Asked again, it goes on where it stopped, also when the bytes have moved.
   */
  find(bytes: Buffer, start: number, limit: number): number | undefined {
    const least = start + this.#least;
    if (limit < least) return undefined;
    if (this.#view.buffer !== bytes.buffer || this.#view.byteOffset !== bytes.byteOffset)
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const end = Math.min(limit, start + this.most);
    const soft = start + this.#target;
    let line =
      this.#line === undefined
        ? Math.max(bytes.lastIndexOf(lineFeed, least - 1) + 1, start)
        : start + this.#line;
    for (;;) {
      const feed = bytes.indexOf(lineFeed, Math.max(line, least));
      if (feed < 0 || feed >= end) break;
      // Longer lines are chosen more often, so that the mean distance doesn't depend on their length.
      const distance = feed < soft ? this.#target / 2 : this.#target / 8;
      if (lineHash(this.#view, line, feed) < (2 ** 32 / distance) * (feed + 1 - line))
        return feed + 1;
      line = feed + 1;
    }
    this.#line = line - start;
    if (end < start + this.most) return undefined;
    return line > least ? line : end;
  }
}

/** 32 bits of bytes[from, to), of which the middle is left out where it is long. */
function lineHash(bytes: DataView, from: number, to: number): number {
  // A small integer from the start: V8 would go on with a floating-point number.
  let hash = 0x9e3779b9 | 0;
  if (to - from > 2 * looked) {
    hash = mixed(hash, bytes, from, from + looked);
    hash = mixed(hash, bytes, to - looked, to);
  } else {
    hash = mixed(hash, bytes, from, to);
  }
  // The finish of MurmurHash3.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Eight bytes at a time, the last ones once more where they don't come out even: a quarter of all bytes
 * of a dump come here. The `| 0` keep V8 at whole numbers of 32 bits.
 */
function mixed(seed: number, bytes: DataView, from: number, to: number): number {
  let hash = seed | 0;
  let at = from | 0;
  for (const last = (to - 8) | 0; at <= last; at = (at + 8) | 0) hash = word(hash, bytes, at);
  if (at < to && to - from >= 8) return word(hash, bytes, to - 8);
  for (; at < to; at += 1) hash = Math.imul(hash ^ bytes.getUint8(at), 0x297a2d39) ^ (hash >>> 13);
  return hash;
}

function word(hash: number, bytes: DataView, at: number): number {
  const second = Math.imul(bytes.getInt32(at + 4, true), 0x297a2d39);
  const next = Math.imul(hash ^ bytes.getInt32(at, true) ^ second, 0x2c1b3c6d);
  return next ^ (next >>> 15);
}
