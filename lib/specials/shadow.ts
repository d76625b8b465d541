import { closeSync, linkSync, mkdirSync, openSync, rmSync, rmdirSync, unlinkSync } from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { failed, interrupted, systemCode } from "../errors.ts";
import { rawFromSystem } from "../units/encoding.ts";
import type { RawPath } from "../units/rawpath.ts";

export interface ShadowRequest {
  /** Relative paths, bytes in Latin-1 strings, sorted. */
  readonly candidates: readonly string[];
  /** A private directory; made where it is missing. */
  readonly scratch: string;
  /** Lists the files below a directory that rclone's filters let through. */
  readonly listIncluded: (directory: string) => AsyncIterable<readonly RawPath[]>;
  readonly signal: AbortSignal | undefined;
}

export interface Choice {
  readonly included: readonly string[];
  /** How many of them no file could be made for, so that the filters were not asked. */
  readonly unasked: number;
}

const batch = 1000;

/**
 * The candidates that rclone's filters include. rclone passes over special files, so it is shown a
 * tree of empty files with the same names instead. What can't be named there is taken to be included:
 * too much in a backup is better than too little. Throws failed() where the scratch directory can't be
 * written to, interrupted() when the signal is aborted.
 */
export async function chooseIncluded(request: ShadowRequest): Promise<Choice> {
  const { candidates, scratch, listIncluded, signal } = request;
  const shadow = path.join(scratch, "specials-shadow");
  const tree = new Shadow(shadow);
  try {
    const included: string[] = [];
    const byName = new Map<RawPath, string[]>();
    let asked = 0;
    for (const candidate of candidates) {
      if (++asked % batch === 0) {
        await breathe();
        if (signal?.aborted === true) throw interrupted("stopped while asking the filters");
      }
      if (!tree.add(candidate)) {
        included.push(candidate);
        continue;
      }
      const name = rawFromSystem(candidate);
      const same = byName.get(name);
      // rclone can't tell such names apart either.
      if (same === undefined) byName.set(name, [candidate]);
      else same.push(candidate);
    }
    const unasked = included.length;
    for await (const page of listIncluded(shadow)) {
      for (const name of page) {
        const found = byName.get(name);
        if (found === undefined) throw unknownName(name);
        included.push(...found);
      }
    }
    return { included: included.toSorted(), unasked };
  } finally {
    tree.remove();
  }
}

class Shadow {
  readonly #root: string;
  readonly #directories: string[] = [];
  readonly #known = new Set<string>();
  readonly #files: Buffer[] = [];
  /** The file that the next ones are links to. */
  #last: Buffer | undefined;

  constructor(root: string) {
    this.#root = Buffer.from(root).toString("latin1");
    try {
      // What a killed run left behind.
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw unwritable(root, cause);
    }
  }

  /** False if the file system can't hold a file of this name. */
  add(relative: string): boolean {
    try {
      this.#makeParents(relative);
      const file = this.#at(relative);
      this.#make(file);
      this.#files.push(file);
      return true;
    } catch (error) {
      const code = systemCode(error) ?? "";
      if (["ENAMETOOLONG", "EILSEQ", "EINVAL", "EEXIST", "ENOTDIR"].includes(code)) return false;
      throw unwritable(Buffer.from(this.#root, "latin1").toString(), error);
    }
  }

  /** Hard links are thirty times as fast as new files on ext4, but not every file system has them. */
  #make(file: Buffer): void {
    if (this.#last !== undefined) {
      try {
        linkSync(this.#last, file);
        return;
      } catch (error) {
        const code = systemCode(error) ?? "";
        if (!["EMLINK", "EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"].includes(code)) throw error;
      }
    }
    closeSync(openSync(file, "wx", 0o600));
    this.#last = file;
  }

  remove(): void {
    try {
      for (const file of this.#files) unlinkSync(file);
      for (const directory of this.#directories.toReversed()) rmdirSync(this.#at(directory));
      rmdirSync(Buffer.from(this.#root, "latin1"));
    } catch {
      rmSync(Buffer.from(this.#root, "latin1").toString(), { recursive: true, force: true });
    }
  }

  #makeParents(relative: string): void {
    const end = relative.lastIndexOf("/");
    if (end === -1) return;
    const parent = relative.slice(0, end);
    if (this.#known.has(parent)) return;
    this.#makeParents(parent);
    mkdirSync(this.#at(parent), { mode: 0o700 });
    this.#known.add(parent);
    this.#directories.push(parent);
  }

  #at(relative: string): Buffer {
    return Buffer.from(`${this.#root}/${relative}`, "latin1");
  }
}

function unwritable(directory: string, cause: unknown): Error {
  return failed(`cannot write to ${directory} (${systemCode(cause) ?? "unknown error"})`, {
    cause,
  });
}

function unknownName(name: RawPath): Error {
  const text = Buffer.from(name, "latin1").toString();
  return failed(`expected rclone to list the names of special files, found another one: ${text}`, {
    hint: "this version of rclone is not supported; archive_specials = no turns the archive off",
  });
}
