import { createCipheriv, createDecipheriv } from "node:crypto";
import { endianness } from "node:os";
import { failed } from "../errors.ts";

/** Bytes of an AES block. */
export const aesBlock = 16;
/** The most blocks that one message can have. */
export const mostBlocks = 128;

interface BlockCipher {
  update(data: Uint8Array): Uint8Array;
}

/**
 * EME with AES-256 (Halevi and Rogaway, "A Parallelizable Enciphering Mode"), one tweak for all.
 * Many messages at once cost three calls of the cipher, however many they are.
 */
interface Eme {
  /**
   * Both work in place. The messages lie one behind the other in `data`, whose memory begins at a
   * multiple of four; `blocks` has the length of each in AES blocks.
   */
  encrypt(data: Uint8Array, blocks: Uint8Array): void;
  decrypt(data: Uint8Array, blocks: Uint8Array): void;
}

export function makeEme(key: Uint8Array, tweak: Uint8Array): Eme {
  if (endianness() !== "LE")
    throw failed("expected a little-endian machine for decrypting names, found a big-endian one");
  // They live as long as this does: to make one costs more than to decrypt a hundred names.
  const encipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  const decipher = createDecipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  const masks = maskTable(encipher.update(new Uint8Array(aesBlock)));
  const tweakWords = new Int32Array(Uint8Array.from(tweak).buffer);
  return {
    encrypt: (data, blocks) => transform(encipher, masks, tweakWords, data, blocks),
    decrypt: (data, blocks) => transform(decipher, masks, tweakWords, data, blocks),
  };
}

/** 2L, 4L, 8L, … in GF(2^128), little-endian. */
function maskTable(l: Uint8Array): Int32Array {
  const table = new Int32Array(4 * mostBlocks);
  let [a = 0, b = 0, c = 0, d = 0] = new Int32Array(Uint8Array.from(l).buffer);
  for (let at = 0; at < table.length; at += 4) {
    const carry = d >>> 31;
    d = (d << 1) | (c >>> 31);
    c = (c << 1) | (b >>> 31);
    b = (b << 1) | (a >>> 31);
    a = (a << 1) ^ (carry * 135);
    table.set([a, b, c, d], at);
  }
  return table;
}

function transform(
  cipher: BlockCipher,
  masks: Int32Array,
  tweak: Int32Array,
  data: Uint8Array,
  blocks: Uint8Array,
): void {
  const words = new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  mask(words, blocks, masks);
  data.set(cipher.update(data));
  const sums = sumUp(words, blocks, tweak);
  const mixed = new Int32Array(Uint8Array.from(cipher.update(new Uint8Array(sums.buffer))).buffer);
  mix(words, blocks, tweak, sums, mixed);
  data.set(cipher.update(data));
  mask(words, blocks, masks);
}

function mask(words: Int32Array, blocks: Uint8Array, masks: Int32Array): void {
  let at = 0;
  for (const count of blocks) {
    const length = 4 * count;
    for (let i = 0; i < length; i += 1) words[at + i] = (words[at + i] ?? 0) ^ (masks[i] ?? 0);
    at += length;
  }
}

/** The xor of the tweak and all blocks, for every message. */
function sumUp(words: Int32Array, blocks: Uint8Array, tweak: Int32Array): Int32Array {
  const [t0 = 0, t1 = 0, t2 = 0, t3 = 0] = tweak;
  const sums = new Int32Array(4 * blocks.length);
  let at = 0;
  for (let message = 0; message < blocks.length; message += 1) {
    let a = t0;
    let b = t1;
    let c = t2;
    let d = t3;
    const end = at + 4 * (blocks[message] ?? 0);
    for (; at < end; at += 4) {
      a ^= words[at] ?? 0;
      b ^= words[at + 1] ?? 0;
      c ^= words[at + 2] ?? 0;
      d ^= words[at + 3] ?? 0;
    }
    sums[4 * message] = a;
    sums[4 * message + 1] = b;
    sums[4 * message + 2] = c;
    sums[4 * message + 3] = d;
  }
  return sums;
}

function mix(
  words: Int32Array,
  blocks: Uint8Array,
  tweak: Int32Array,
  sums: Int32Array,
  mixed: Int32Array,
): void {
  const [t0 = 0, t1 = 0, t2 = 0, t3 = 0] = tweak;
  let first = 0;
  for (let message = 0; message < blocks.length; message += 1) {
    const from = 4 * message;
    const m0 = mixed[from] ?? 0;
    const m1 = mixed[from + 1] ?? 0;
    const m2 = mixed[from + 2] ?? 0;
    const m3 = mixed[from + 3] ?? 0;
    let a = m0 ^ (sums[from] ?? 0);
    let b = m1 ^ (sums[from + 1] ?? 0);
    let c = m2 ^ (sums[from + 2] ?? 0);
    let d = m3 ^ (sums[from + 3] ?? 0);
    let s0 = m0 ^ t0;
    let s1 = m1 ^ t1;
    let s2 = m2 ^ t2;
    let s3 = m3 ^ t3;
    const end = first + 4 * (blocks[message] ?? 0);
    for (let at = first + 4; at < end; at += 4) {
      const carry = d >>> 31;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry * 135);
      s0 ^= words[at] = (words[at] ?? 0) ^ a;
      s1 ^= words[at + 1] = (words[at + 1] ?? 0) ^ b;
      s2 ^= words[at + 2] = (words[at + 2] ?? 0) ^ c;
      s3 ^= words[at + 3] = (words[at + 3] ?? 0) ^ d;
    }
    words[first] = s0;
    words[first + 1] = s1;
    words[first + 2] = s2;
    words[first + 3] = s3;
    first = end;
  }
}
