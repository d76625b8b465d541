/** The two halves of a 64-bit key, the same for all that is to be compared. */
export interface HashKey {
  readonly low: number;
  readonly high: number;
}

/** What the hash of 64 bits leaves in its place: low half, then high half. */
export const wordsPerHash = 2;

/**
 * Hashes bytes[start, end) and puts the two halves of the hash at `at` and `at + 1` of `into`. Without the
 * key nobody can find two inputs with one hash. HalfSipHash-2-4 with 64 bits of output, as Aumasson
 * and Bernstein publish it (github.com/veorq/SipHash).
 */
export function hashInto(
  into: Uint32Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  key: HashKey,
): void {
  let v0 = key.low | 0;
  let v1 = key.high ^ 0xee;
  let v2 = key.low ^ 0x6c79_6765;
  let v3 = key.high ^ 0x7465_6462;
  const words = (end - start) >>> 2;
  let from = start;
  // After the words of the input come one with its rest and its length, and two that finish each a half.
  for (let step = 0; step <= words + 2; step += 1) {
    let rounds = 4;
    let word = 0;
    if (step <= words) {
      rounds = 2;
      word = step < words ? wordAt(bytes, from) : lastWord(bytes, from, end, start);
      from += 4;
      v3 ^= word;
    } else if (step === words + 1) v2 ^= 0xee;
    else {
      into[at] = v1 ^ v3;
      v1 ^= 0xdd;
    }
    for (; rounds > 0; rounds -= 1) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  into[at + 1] = v1 ^ v3;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

function lastWord(bytes: Uint8Array, from: number, end: number, start: number): number {
  let word = (end - start) << 24;
  for (let at = from; at < end; at += 1) word |= (bytes[at] ?? 0) << (8 * (at - from));
  return word;
}
