import { createHash, hash } from "node:crypto";

/**
 * Writes the first 128 bits of the SHA-256 of bytes into four words: so nobody can make two documents that are
 * taken for one another.
 */
export function hashContent(bytes: Uint8Array, into: Uint32Array): void {
  // As text of one byte a character: for small documents, making a Buffer would take longer than hashing.
  const digest = hash("sha256", bytes, "binary");
  for (let word = 0; word < 4; word += 1) {
    const at = word * 4;
    into[word] =
      digest.charCodeAt(at) |
      (digest.charCodeAt(at + 1) << 8) |
      (digest.charCodeAt(at + 2) << 16) |
      (digest.charCodeAt(at + 3) << 24);
  }
}

/** A hash takes less than 2 GiB at once. */
const longest = 2 ** 30;

/** The SHA-256 of parts one after another, as 64 hexadecimal digits. */
export function digitsOf(...parts: readonly Uint8Array[]): string {
  const whole = createHash("sha256");
  for (const part of parts)
    for (let at = 0; at < part.length; at += longest) whole.update(part.subarray(at, at + longest));
  return whole.digest("hex");
}
