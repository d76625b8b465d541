import type { Conditions } from "../units/condition.ts";
import { bySize } from "./order.ts";
import type { Random } from "./random.ts";

/** How much of a pool of files may be chosen. */
export interface Budget {
  readonly bytes: number;
  /** Not even the last file may go over. */
  readonly hard: boolean;
  readonly files: number;
}

/** The budget that conditions grant over a pool; percentages are of the pool. */
export function budgetOf(
  conditions: Conditions,
  pool: { readonly files: number; readonly bytes: number },
): Budget {
  const { data, files } = conditions;
  return {
    bytes:
      data === undefined
        ? Infinity
        : data.limit.kind === "bytes"
          ? data.limit.bytes
          : (pool.bytes * data.limit.percent) / 100,
    hard: data?.hard ?? false,
    files:
      files === undefined
        ? Infinity
        : files.limit.kind === "count"
          ? files.limit.count
          : Math.ceil((pool.files * files.limit.percent) / 100),
  };
}

export interface Selection {
  /** One byte per file of the pool: 1 where it is chosen. */
  readonly chosen: Uint8Array;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Chooses files of the given sizes at random within a budget. With a budget of bytes, larger files
 * are strongly preferred, since every file costs a transaction: the wanted size is the largest left
 * times log10 of a number in [1, 10), and the largest file not above it is taken, else the smallest.
 * Among files of one size chance decides. A soft budget may be exceeded by its last file. Without a
 * budget of bytes the choice is uniform. O(n log n) in time, 21 bytes a file in memory.
 */
export function select(sizes: Float64Array, budget: Budget, random: Random): Selection {
  if (budget.bytes === Infinity) return selectUniformly(sizes, budget.files, random);
  return selectBySize(sizes, budget, random);
}

function selectUniformly(sizes: Float64Array, files: number, random: Random): Selection {
  const wanted = Math.min(files, sizes.length);
  const chosen = new Uint8Array(sizes.length);
  let bytes = 0;
  let left = wanted;
  // Selection sampling (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 S).
  for (let at = 0; at < sizes.length && left > 0; at += 1) {
    if (random() * (sizes.length - at) >= left) continue;
    chosen[at] = 1;
    bytes += sizes[at] ?? 0;
    left -= 1;
  }
  return { chosen, files: wanted, bytes };
}

function selectBySize(sizes: Float64Array, budget: Budget, random: Random): Selection {
  const order = bySize(sizes, random);
  const remaining = new Remaining(order.length);
  const chosen = new Uint8Array(sizes.length);
  let files = 0;
  let bytes = 0;
  while (files < budget.files && bytes < budget.bytes) {
    // Under a hard budget only what still fits is there to choose from.
    const fits = budget.hard ? lastAtMost(sizes, order, budget.bytes - bytes) : order.length - 1;
    const biggest = remaining.atOrBelow(fits);
    if (biggest < 0) break;
    const wanted = size(sizes, order[biggest] ?? 0) * Math.log10(1 + 9 * random());
    let at = remaining.atOrBelow(Math.min(lastAtMost(sizes, order, wanted), biggest));
    if (at < 0) at = remaining.first();
    const index = order[at] ?? 0;
    chosen[index] = 1;
    files += 1;
    bytes += size(sizes, index);
    remaining.remove(at);
  }
  return { chosen, files, bytes };
}

function size(sizes: Float64Array, index: number): number {
  return sizes[index] ?? 0;
}

/** The last place in the order whose file is at most so large; -1 when none is. */
function lastAtMost(sizes: Float64Array, order: Uint32Array, limit: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (size(sizes, order[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Which places are left: finds the nearest at or below one in almost constant time (union-find). */
class Remaining {
  /** For each place + 1 the place + 1 to look at instead; itself while it is left. 0 is the end. */
  readonly #below: Uint32Array;
  #first = 0;

  constructor(length: number) {
    this.#below = new Uint32Array(length + 1);
    for (let at = 0; at <= length; at += 1) this.#below[at] = at;
  }

  atOrBelow(place: number): number {
    let at = Math.max(place, -1) + 1;
    while (this.#step(at) !== at) {
      // Halves the path for the next search.
      this.#below[at] = this.#step(this.#step(at));
      at = this.#step(at);
    }
    return at - 1;
  }

  remove(place: number): void {
    this.#below[place + 1] = place;
  }

  /** The smallest place left. Call it only while one is. */
  first(): number {
    while (this.#step(this.#first + 1) !== this.#first + 1) this.#first += 1;
    return this.#first;
  }

  #step(at: number): number {
    return this.#below[at] ?? 0;
  }
}
