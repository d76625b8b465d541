import { constants } from "node:fs";
import { lstat, open, readdir, rename, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { isAlive } from "./process.ts";

/** A file that appears under its name whole or not at all. Call commit() or abandon() in any case. */
export interface AtomicFile {
  /** The temporary file, open for writing and reading. */
  readonly handle: FileHandle;
  readonly temporary: string;
  /** A stream into the file, made when first asked for; commit() ends it and waits for it. */
  readonly stream: Writable;
  /** Syncs the file, renames it over the target and syncs the directory. Throws failed(). */
  commit(): Promise<void>;
  /** Removes the temporary file; after commit() it does nothing. Never throws. */
  abandon(): Promise<void>;
}

/** A leftover is removed only when nothing was written to it for so long: its writer may be in another container. */
const idleMs = 3_600_000;
const active = new Set<string>();
let serial = 0;

/** Writes a whole file: readers see the old one or the new one, after a power cut too. Throws failed(). */
export async function writeAtomically(
  file: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const target = await atomicStream(file, mode);
  try {
    await target.handle.writeFile(data);
    await target.commit();
  } catch (error) {
    throw writeFailure(file, error);
  } finally {
    await target.abandon();
  }
}

/**
 * Opens a temporary file beside `file`; its name begins with a dot and ends in the writer's pid and
 * `.tmp`. Temporary files of writers that were killed are removed on the way. Throws failed().
 */
export async function atomicStream(file: string, mode = 0o600): Promise<AtomicFile> {
  const { dir, base } = path.parse(path.resolve(file));
  const temporary = path.join(dir, `.${base}.${process.pid}-${serial++}.tmp`);
  let handle: FileHandle;
  try {
    handle = await create(temporary, mode);
  } catch (error) {
    throw writeFailure(file, error);
  }
  active.add(temporary);
  await removeLeftovers(dir, base, handle);
  let output: Writable | undefined;
  let unfinished = true;
  const close = async (): Promise<void> => {
    unfinished = false;
    active.delete(temporary);
    await handle.close();
  };
  return {
    handle,
    temporary,
    get stream() {
      output ??= streamInto(handle);
      return output;
    },
    async commit() {
      try {
        if (output !== undefined) {
          output.end();
          await finished(output);
        }
        await handle.sync();
        await close();
        await rename(temporary, file);
        await syncDirectory(dir);
      } catch (error) {
        await unlink(temporary).catch(() => {});
        throw writeFailure(file, error);
      }
    },
    async abandon() {
      if (!unfinished) return;
      output?.destroy();
      await close().catch(() => {});
      await unlink(temporary).catch(() => {});
    },
  };
}

// The handle's own stream would keep the handle from closing.
function streamInto(handle: FileHandle): Writable {
  const put = async (data: Uint8Array, done: (error?: Error) => void): Promise<void> => {
    try {
      await handle.writeFile(data);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  };
  return new Writable({
    highWaterMark: 65_536,
    write: (chunk: Buffer, _encoding, done) => void put(chunk, done),
    writev: (chunks, done) =>
      void put(Buffer.concat(chunks.map(({ chunk }: { chunk: Buffer }) => chunk)), done),
  });
}

/** Makes a rename or a new name in a directory survive a power cut, where the file system can. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE file systems have no fsync for directories.
    if (!["EINVAL", "EPERM", "ENOSYS", "ENOTSUP", "EBADF"].includes(systemCode(error) ?? "")) {
      throw error;
    }
  } finally {
    await handle.close();
  }
}

async function create(temporary: string, mode: number): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  let handle: FileHandle;
  try {
    handle = await open(temporary, flags, mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    // A killed run had our pid.
    await unlink(temporary);
    handle = await open(temporary, flags, mode);
  }
  await handle.chmod(mode);
  return handle;
}

/** Ages are told by the file system's own clock, that of the file just made. */
async function removeLeftovers(directory: string, base: string, fresh: FileHandle): Promise<void> {
  const head = `.${base}.`;
  const { mtimeMs: now } = await fresh.stat();
  for (const name of await readdir(directory).catch(() => [])) {
    if (!name.startsWith(head)) continue;
    const pid = /^(\d+)-\d+\.tmp$/.exec(name.slice(head.length))?.[1];
    const leftover = path.join(directory, name);
    if (pid === undefined || active.has(leftover)) continue;
    if (Number(pid) !== process.pid && isAlive(Number(pid), undefined)) continue;
    const found = await lstat(leftover).catch(() => undefined);
    if (found !== undefined && now - found.mtimeMs > idleMs) await unlink(leftover).catch(() => {});
  }
}
