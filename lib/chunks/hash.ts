/** What the manifest calls the hash of a chunk. */
export const hashName = "xxhash64";

/** Hashes bytes in lower-case hexadecimal. It finds equal chunks and damage; it is no defence against a forger. */
export type HashBytes = (bytes: Uint8Array) => string;

/** The same of bytes that come piece by piece, of one chunk at a time. */
export interface RunningHash {
  /** Begins anew. */
  begin(): void;
  add(bytes: Uint8Array): void;
  end(): string;
}

/** Loads the hash function; afterwards it works at some gigabytes a second. */
export async function openHash(): Promise<HashBytes> {
  const running = await openRunningHash();
  return (bytes) => {
    running.begin();
    running.add(bytes);
    return running.end();
  };
}

/** The same for pieces. Each one is independent of all others. */
export async function openRunningHash(): Promise<RunningHash> {
  const { createXXHash64 } = await import("hash-wasm");
  const hasher = await createXXHash64();
  return {
    begin: () => void hasher.init(),
    add: (bytes) => void hasher.update(bytes),
    end: () => hasher.digest(),
  };
}
