/** What the manifest calls the hash of a chunk. */
export const hashName = "xxhash64";

/** Hashes bytes in lower-case hexadecimal. It finds equal chunks and damage; it is no defence against a forger. */
export type HashBytes = (bytes: Uint8Array) => string;

/** Loads the hash function; afterwards it works at some gigabytes a second. */
export async function openHash(): Promise<HashBytes> {
  const { createXXHash64 } = await import("hash-wasm");
  const hasher = await createXXHash64();
  return (bytes) => hasher.init().update(bytes).digest();
}
