import { constants } from "node:fs";
import { copyFile, link, open, unlink, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { stagedFile } from "./journal.ts";

/** A file that is being staged, in pieces one after another. */
export interface StagedFile {
  readonly name: string;
  /** Writes behind what was given before. The bytes must stay until it has resolved. Throws failed(). */
  append(bytes: Uint8Array): Promise<void>;
  /** No more comes: the file is synced and closed, which flush() waits for. */
  finish(): void;
  /** It is not wanted, and is removed. */
  drop(): void;
}

/** So many files may wait for their sync. */
const unsyncedAtMost = 16;

/**
 * Writes the files that are to take their places in a set, each under a number. While some are synced,
 * the next ones are written, so that the disk is never idle: nothing may be committed before flush().
 */
export class Staging {
  readonly #directory: string;
  readonly #syncing = new Set<Promise<void>>();
  /** Who waits for one of them to be done. */
  readonly #waiting: (() => void)[] = [];
  #serial = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Begins the next file. */
  begin(name = stagedFile(this.#serial++)): StagedFile {
    const file = path.join(this.#directory, name);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const opened = this.#room().then(async () =>
      open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
    );
    // One piece after another: threads that write to one file wait for each other.
    let last: Promise<unknown> = opened;
    const append = async (bytes: Uint8Array): Promise<void> => {
      last = last.then(async () => writeWhole(await opened, bytes));
      try {
        await last;
      } catch (error) {
        throw stageFailure(file, error);
      }
    };
    const end = (wanted: boolean): void => {
      this.#sync(file, async () => {
        try {
          await last;
          if (wanted) await (await opened).sync();
        } finally {
          await (await opened).close();
          if (!wanted) await unlink(file);
        }
      });
    };
    last.catch(() => {});
    return { name, append, finish: () => end(true), drop: () => end(false) };
  }

  /** Stages bytes under a name; they must stay until it has resolved. Throws failed(). */
  async stage(bytes: Uint8Array, name?: string): Promise<string> {
    const file = this.begin(name);
    try {
      await file.append(bytes);
    } finally {
      file.finish();
    }
    return file.name;
  }

  /** Stages a file that is there and gets another name. Throws failed(). */
  async stageOld(old: string): Promise<string> {
    const staged = stagedFile(this.#serial++);
    const file = path.join(this.#directory, staged);
    try {
      // Where the file system has no links, it is a copy.
      await link(old, file).catch(async () => {
        await copyFile(old, file, constants.COPYFILE_EXCL);
        const handle = await open(file, "r+");
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
      });
    } catch (error) {
      throw stageFailure(file, error);
    }
    return staged;
  }

  /** Waits until all that was staged is on the disk. Throws failed() if anything is not. */
  async flush(): Promise<void> {
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits until nothing more is written, whether that went well or not. */
  async settle(): Promise<void> {
    while (this.#syncing.size > 0) await Promise.all(this.#syncing);
  }

  #sync(file: string, work: () => Promise<void>): void {
    const synced = work()
      .catch((error: unknown) => {
        this.#failure ??= { error: stageFailure(file, error) };
      })
      .finally(() => {
        this.#syncing.delete(synced);
        this.#waiting.shift()?.();
      });
    this.#syncing.add(synced);
  }

  /** Waits until another file may be opened. Throws what a sync failed with. */
  async #room(): Promise<void> {
    if (this.#syncing.size >= unsyncedAtMost)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** In one piece: writeFile would write half a megabyte at a time. */
async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;)
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

function stageFailure(file: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code !== "ENOSPC" && code !== "EDQUOT") return writeFailure(file, cause);
  return failed(`cannot write ${file}: the disk is full (${code})`, {
    hint: "the files of the dump before are as they were; make room there and run the command again",
    cause,
  });
}
