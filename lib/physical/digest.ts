import { open } from "node:fs/promises";
import path from "node:path";
import { UnfitBackup } from "./program.ts";

/** A file of a backup: its path there, its bytes, and their digest. */
export type MarkedFile = readonly [path: string, bytes: number, digest: string];

/** Few enough for any memory, and enough for the disk. */
const block = 1024 * 1024;

/**
 * The digests of files, 128 bits of xxHash: they show what a disk has changed, not what somebody has who
 * means it. A backup is read once for them.
 */
export async function markFiles(
  root: string,
  files: readonly (readonly [path: string, bytes: number])[],
  signal: AbortSignal,
): Promise<readonly MarkedFile[]> {
  const digest = await digester(signal);
  const marked: MarkedFile[] = [];
  for (const [name, bytes] of files)
    marked.push([name, bytes, await digest(path.join(root, name))]);
  return marked;
}

/** Throws UnfitBackup where a copy of a backup does not hold the bytes that were written. */
export async function compareCopy(
  copy: string,
  files: readonly MarkedFile[],
  signal: AbortSignal,
): Promise<void> {
  const digest = await digester(signal);
  for (const [name, , expected] of files)
    if ((await digest(path.join(copy, name))) !== expected)
      throw new UnfitBackup(
        "chain",
        `expected ${name} as it was written, found other bytes: the disk may be failing`,
      );
}

async function digester(signal: AbortSignal): Promise<(file: string) => Promise<string>> {
  const { createXXHash128 } = await import("hash-wasm");
  const hasher = await createXXHash128();
  const buffer = Buffer.allocUnsafe(block);
  return async (file) => {
    hasher.init();
    const handle = await open(file, "r");
    try {
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await handle.read(buffer, 0, block);
        if (bytesRead === 0) return hasher.digest("hex");
        hasher.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  };
}
