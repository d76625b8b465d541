import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { lstat, open, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { syncDirectory } from "../state/atomic.ts";
import { archiveName, commentFor, temporaryName } from "./existing.ts";
import { gzip } from "./gzip.ts";
import type { Members } from "./members.ts";
import type { TarRun } from "./tar.ts";
import { WriteFailure } from "./write-failure.ts";

/**
 * Writes the archive under its temporary name, syncs it and puts it in place, with the time of its
 * newest member. Mode 0600: link targets may tell of directories that not everybody can read. Throws
 * WriteFailure with what tar said, and the system's own errors where the source can't be written to.
 */
export async function writeArchive(
  source: string,
  members: Members,
  options: { readonly now: Date; readonly startTar: () => Promise<TarRun> },
): Promise<void> {
  const temporary = path.join(source, temporaryName);
  await removeStale(source);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const tar = await options.startTar();
    try {
      for await (const part of gzip(tar.output, commentFor(members.digest))) {
        await handle.writeFile(part);
      }
    } catch (error) {
      await tar.finish().catch(() => {});
      throw error;
    }
    await tar.finish();
    const time = members.newest === undefined ? options.now : dateOf(members.newest);
    await handle.utimes(time, time);
    await handle.sync();
    await assertOurs(handle, temporary);
    await rename(temporary, path.join(source, archiveName));
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
  await syncDirectory(source);
}

/** Removes an archive of ours that has nothing left to hold. Throws the system's own errors. */
export async function removeArchive(source: string): Promise<void> {
  await unlink(path.join(source, archiveName));
  await syncDirectory(source);
}

/** Removes what a killed run left; nothing happens where there is nothing, or it can't be removed. */
export async function removeStale(source: string): Promise<void> {
  await unlink(path.join(source, temporaryName)).catch(() => {});
}

/** Two backups may have the same source; the other's half-written file must not get into place. */
async function assertOurs(handle: FileHandle, file: string): Promise<void> {
  const mine = await handle.stat({ bigint: true });
  const there = await lstat(file, { bigint: true }).catch(() => undefined);
  if (there?.ino !== mine.ino || there.dev !== mine.dev) {
    throw new WriteFailure(`another run was writing ${archiveName} at the same time`);
  }
}

function dateOf(nanoseconds: bigint): Date {
  const million = 1_000_000n;
  const rest = ((nanoseconds % million) + million) % million;
  return new Date(Number((nanoseconds - rest) / million));
}
