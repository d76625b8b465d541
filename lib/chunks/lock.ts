import { lstat, utimes } from "node:fs/promises";
import { acquireLock, type Lock, type LockOptions } from "../state/lock.ts";
import type { SetPlace } from "./place.ts";

/**
 * Takes the lock of a set. Who has it is written into its file, whose time is put back in the end: a
 * backup need not store it anew for that. Throws as acquireLock does.
 */
export async function lockSet(
  { lock: file }: SetPlace,
  options: LockOptions,
): Promise<Pick<Lock, "release">> {
  const before = await lstat(file).catch(() => undefined);
  const lock = await acquireLock(file, options);
  // Whole seconds, which every file system keeps as they are.
  const seconds = Math.floor((before ?? (await lstat(file))).mtimeMs / 1000);
  return {
    async release() {
      await lock.release();
      await utimes(file, seconds, seconds).catch(() => {});
    },
  };
}
