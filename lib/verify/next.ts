/*
 * What the nightly verification reads next. Days are whole days of UTC since 1970; 0 is never.
 */

/** Files by their place in the manifest, and what the ledger knows of them. */
export interface Known {
  readonly count: number;
  /** Bytes; below 0 where nobody knows. */
  readonly sizes: Float64Array;
  /** The day on which each was last read back. */
  readonly days: Uint16Array;
  /** Of large files, how many bytes were read back already. */
  readonly begun: ReadonlyMap<number, number>;
  /** Files that could not be compared the other day: they are not tried every night. */
  readonly resting: ReadonlySet<number>;
}

export interface NightlyBudget {
  /** Plain bytes. */
  readonly bytes: number;
  /** Infinity where they cost nothing. */
  readonly transactions: number;
}

/** To find a file at the store, and to read it. */
export const transactionsPerFile = 2;

/** Bytes of a file that are read on their own. */
export interface Range {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface NextChoice {
  /** One byte a file: 1 where it is read from its beginning to its end. */
  readonly chosen: Uint8Array;
  /** Those that are. */
  readonly files: number;
  readonly ranges: readonly Range[];
  /** Of files and ranges. */
  readonly bytes: number;
}

/** Less of a file is not worth its transactions, unless the budget itself is small. */
const smallestRange = 1024 * 1024;

/** A quarter of the budget is for files larger than all of it. */
const largeShare = 4;

/**
 * Chooses within a budget that nothing exceeds: what was never verified first, then what was longest
 * ago; of one day what can be brought to its end, then the largest that the budget holds, and last what is
 * larger than all of it, for which a quarter of the budget is kept until it was read. The first file that is larger than what is left is read in part, and from there
 * on another night, so that no byte of the budget is lost to the sizes of files. What was read back today
 * is left out.
 */
export function chooseNext(known: Known, budget: NightlyBudget, today: number): NextChoice {
  const chosen = new Uint8Array(known.count);
  const kept = keptForLarge(known, budget, today);
  const ranges: Range[] = [];
  let files = 0;
  let left = budget.bytes - kept.bytes;
  let transactions = budget.transactions - (kept.bytes > 0 ? transactionsPerFile : 0);
  for (const file of inOrder(known, budget, today)) {
    const isKept = kept.bytes > 0 && file === kept.file;
    if (left <= 0 || (transactions < transactionsPerFile && !isKept)) break;
    const offset = known.begun.get(file) ?? 0;
    const rest = (known.sizes[file] ?? 0) - offset;
    if (isKept) {
      const more = Math.min(rest - kept.bytes, left);
      left -= more;
      kept.bytes += more;
      continue;
    }
    const least = Math.min(rest, smallestRange, Math.ceil(budget.bytes / 10));
    if (rest > left && left < least) break;
    if (rest <= left && offset === 0) {
      chosen[file] = 1;
      files += 1;
    } else ranges.push({ file, offset, bytes: Math.min(rest, left) });
    left -= Math.min(rest, left);
    transactions -= transactionsPerFile;
  }
  if (kept.bytes > 0) ranges.push({ ...kept, offset: known.begun.get(kept.file) ?? 0 });
  return { chosen, files, ranges, bytes: budget.bytes - left };
}

/**
 * The part of a budget that is kept for a file larger than all of it, if there is one that never was read
 * back: new small files every night would else keep it waiting for ever. Begun ones first, then the largest.
 */
function keptForLarge(
  known: Known,
  budget: NightlyBudget,
  today: number,
): { file: number; bytes: number } {
  const none = { file: -1, bytes: 0 };
  if (budget.transactions < 2 * transactionsPerFile) return none;
  let best = -1;
  let most = budget.bytes;
  let bestBegun = false;
  for (let file = 0; file < known.count; file += 1) {
    if (known.days[file] !== 0 || (known.sizes[file] ?? 0) <= budget.bytes) continue;
    const rest = restOf(known, file, today);
    if (rest <= budget.bytes) continue;
    const begun = known.begun.has(file);
    if (bestBegun && !begun) continue;
    if (begun === bestBegun && rest <= most) continue;
    [best, most, bestBegun] = [file, rest, begun];
  }
  return best < 0 ? none : { file: best, bytes: Math.floor(budget.bytes / largeShare) };
}

/** More files than this don't fit into the bits that are left for their places. */
const placeBits = 26;

/**
 * The places of the files in the order of their turn. All that counts is packed into 64 bits a file, which
 * are sorted as numbers: day 16, rank 2, size 20 (6 of them its power of 2), place 26.
 */
function* inOrder(known: Known, budget: NightlyBudget, today: number): Generator<number> {
  const { count, sizes, days, begun } = known;
  if (count > 2 ** placeBits)
    throw new RangeError(`expected at most ${2 ** placeBits} files, found ${count}`);
  const words = new Uint32Array(count * 2);
  const [high, low] = littleEndian ? [1, 0] : [0, 1];
  const last = lastReached(known, budget, today);
  let packed = 0;
  for (let file = 0; file < count; file += 1) {
    const day = believed(days[file] ?? 0, today);
    if (day > last) continue;
    const rest = restOf(known, file, today);
    if (rest < 0) continue;
    const begins = begun.size === 0 || !begun.has(file);
    const rank = (rest > budget.bytes ? 2 : 0) + (begins ? 1 : 0);
    const small = largestCode - codeOf(sizes[file] ?? 0);
    words[packed + high] = (day << 16) | (rank << 14) | (small >>> 6);
    words[packed + low] = ((small & 0x3f) << placeBits) | file;
    packed += 2;
  }
  const order = new BigUint64Array(words.buffer, 0, packed / 2);
  order.sort();
  for (let at = low; at < packed; at += 2) yield (words[at] ?? 0) & (2 ** placeBits - 1);
}

/** The bytes of a file that are still to be read; -1 where it is not its turn today. */
function restOf({ sizes, days, begun, resting }: Known, file: number, today: number): number {
  const size = sizes[file] ?? -1;
  if (size < 0 || days[file] === today) return -1;
  if (resting.size > 0 && resting.has(file)) return -1;
  return begun.size > 0 ? size - (begun.get(file) ?? 0) : size;
}

/** The day in whose files the budget ends: nothing that was read back after it needs to be put in order. */
function lastReached(known: Known, budget: NightlyBudget, today: number): number {
  const bytes = new Float64Array(today + 1);
  for (let file = 0; file < known.count; file += 1) {
    const day = believed(known.days[file] ?? 0, today);
    bytes[day] = (bytes[day] ?? 0) + Math.max(restOf(known, file, today), 0);
  }
  let sum = 0;
  for (const [day, some] of bytes.entries()) {
    sum += some;
    if (sum > budget.bytes) return day;
  }
  return today;
}

/** A day that is still to come was written by a clock that was wrong: its file comes right after the never verified. */
export function believed(day: number, today: number): number {
  return day > today ? 1 : day;
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const float = new Float64Array(1);
const floatWords = new Uint32Array(float.buffer);
const largestCode = 2 ** 20 - 1;

/** The size with the first 15 of its digits in base 2: larger sizes have larger codes, all but the same the same. */
function codeOf(size: number): number {
  if (size < 1) return 0;
  float[0] = size;
  // Of IEEE 754: 11 bits of exponent, whose 1023 stands for 2 to the 0, and the first of the mantissa.
  return ((floatWords[littleEndian ? 1 : 0] ?? 0) >>> 6) - (1022 << 14);
}
