import { createXXHash128 } from "hash-wasm";

/** Two 32-bit numbers. */
export type Seed = readonly [number, number];

/** xxHash-128 of bytes: not against forgers, so its seed is kept secret where they may choose the bytes. */
export interface ContentHasher {
  /** Writes the hash into four words. */
  hash(bytes: Uint8Array, into: Uint32Array): void;
  /** The hash of parts one after another, as 32 hexadecimal digits. */
  digits(...parts: readonly Uint8Array[]): string;
}

/** Makes a hasher with a seed of its own. */
export async function contentHasher(seed: Seed): Promise<ContentHasher> {
  const hasher = await createXXHash128(...seed);
  return {
    hash(bytes, into) {
      const digest = hasher.init().update(bytes).digest("binary");
      const { buffer, byteOffset } = digest;
      into.set(
        byteOffset % 4 === 0
          ? new Uint32Array(buffer, byteOffset, 4)
          : new Uint32Array(digest.slice().buffer),
      );
    },
    digits(...parts) {
      hasher.init();
      for (const part of parts) hasher.update(part);
      return hasher.digest();
    },
  };
}
