import { unsafeUniformIntDistribution, xoroshiro128plus } from "pure-rand";

/** Draws numbers in [0, 1). */
export type Random = () => number;

/**
 * Numbers that the generator gives first are all but its seed: they are passed over, or a file at the
 * listing's beginning might never be chosen.
 */
const passedOver = 64;

/** The same seed draws the same numbers, on every machine. */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(scatter(seed));
  const draw = (): number => unsafeUniformIntDistribution(0, 0xffff_ffff, generator) / 2 ** 32;
  for (let at = 0; at < passedOver; at += 1) draw();
  return draw;
}

/** Makes neighbouring seeds unlike each other (the finalizer of MurmurHash3, one to one). */
function scatter(seed: number): number {
  let bits = seed | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
