import type { Random } from "./random.ts";

const base = 2 ** 16;

/**
 * The indices of sizes (whole numbers from 0 to 2^53), smallest size first; among equal sizes chance
 * decides. A radix sort: a comparison sort of a million takes ten times as long, and its garbage
 * more memory than all the rest of a choice.
 */
export function bySize(sizes: Float64Array, random: Random): Uint32Array {
  let order: Uint32Array = shuffled(sizes.length, random);
  let next: Uint32Array = new Uint32Array(sizes.length);
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  for (let unit = 1; unit <= largest; unit *= base) {
    const digitOf = (index: number): number => {
      const left = Math.floor((sizes[index] ?? 0) / unit);
      // The remainder of a division: % of numbers above 2^31 is a call.
      return left - Math.floor(left / base) * base;
    };
    const places = new Uint32Array(base + 1);
    for (const index of order) bump(places, digitOf(index) + 1);
    for (let at = 1; at <= base; at += 1) places[at] = (places[at] ?? 0) + (places[at - 1] ?? 0);
    // In the order so far, so that equal digits stay as they are.
    for (const index of order) next[bump(places, digitOf(index))] = index;
    [order, next] = [next, order];
  }
  return order;
}

/** Adds one and returns what was there before. */
function bump(counts: Uint32Array, at: number): number {
  const before = counts[at] ?? 0;
  counts[at] = before + 1;
  return before;
}

/** The numbers below a length in random order (Fisher and Yates). */
function shuffled(length: number, random: Random): Uint32Array {
  const order = new Uint32Array(length);
  for (let at = 0; at < length; at += 1) {
    const from = Math.floor(random() * (at + 1));
    order[at] = order[from] ?? 0;
    order[from] = at;
  }
  return order;
}
