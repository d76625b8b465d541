import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { copyFile, link, open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import type { HashBytes } from "./hash.ts";
import { stagedFile } from "./journal.ts";
import { parseChunkName } from "./names.ts";
import type { SetFile } from "./manifest.ts";
import type { ChunkSet } from "./set.ts";

/** A chunk of the new set. */
export interface Taken {
  readonly hash: string;
  readonly bytes: number;
  /** The file of the old set with the very same bytes. */
  readonly same: string | undefined;
  /** What it was staged as; undefined where it is the same, or nothing is to be written. */
  readonly staged: string | undefined;
}

const piece = 512 * 1024;

/** So many chunks that changed one after another don't hide where an old one goes on. */
const reach = 16;

/** Compares chunks of a new dump with the files that are there, and stages those that differ. */
export class Stager {
  readonly #set: ChunkSet;
  readonly #hash: HashBytes;
  readonly #writes: boolean;
  /** The names of files by section and content: those of equal content in their order. */
  readonly #old = new Map<string, string[]>();
  /** The files of each section, in their order. */
  readonly #sections = new Map<string, SetFile[]>();
  /** Where each file stands in its section. */
  readonly #positions = new Map<string, number>();
  readonly #piece = Buffer.allocUnsafeSlow(piece);
  #serial = 0;

  /** Without `writes`, nothing is staged. */
  constructor(set: ChunkSet, hash: HashBytes, writes: boolean) {
    this.#set = set;
    this.#hash = hash;
    this.#writes = writes;
    const sections = new Map<string, Map<number, number>>();
    for (const file of set.files) {
      const { name, hash: digest, bytes } = file;
      const parts = parseChunkName(name);
      if (parts === undefined) continue;
      const numbers = sections.get(parts.label) ?? new Map<number, number>();
      sections.set(parts.label, numbers);
      if (!numbers.has(parts.section)) numbers.set(parts.section, numbers.size);
      const occurrence = numbers.get(parts.section) ?? 0;
      const key = contentKey(parts.label, occurrence, digest, bytes);
      const names = this.#old.get(key) ?? [];
      names.push(name);
      this.#old.set(key, names);
      const section = `${parts.label} ${occurrence}`;
      const files = this.#sections.get(section) ?? [];
      this.#positions.set(name, files.push(file) - 1);
      this.#sections.set(section, files);
    }
  }

  /**
   * The file that held what follows `chunks`, the ones of a section so far; undefined where none is
   * known, or it was the section's last, whose end says nothing.
   */
  follower(label: string, occurrence: number, chunks: readonly Taken[]): SetFile | undefined {
    const files = this.#sections.get(`${label} ${occurrence}`) ?? [];
    let next = chunks.length;
    for (let back = 1; back <= Math.min(chunks.length, reach); back += 1) {
      const same = chunks.at(-back)?.same;
      if (same === undefined) continue;
      next = (this.#positions.get(same) ?? 0) + back;
      break;
    }
    return next + 1 < files.length ? files[next] : undefined;
  }

  /** Takes what was found equal to a file. */
  takeEqual(label: string, occurrence: number, { name, hash, bytes }: SetFile): Taken {
    const names = this.#old.get(contentKey(label, occurrence, hash, bytes));
    const at = names?.indexOf(name) ?? -1;
    if (at >= 0) names?.splice(at, 1);
    return { hash, bytes, same: name, staged: undefined };
  }

  /** Takes the next chunk of a section: the n-th with this label. The bytes must stay until it has resolved. */
  async take(label: string, occurrence: number, bytes: Buffer): Promise<Taken> {
    const hash = this.#hash(bytes);
    const key = contentKey(label, occurrence, hash, bytes.length);
    const candidate = this.#old.get(key)?.shift();
    const found = { hash, bytes: bytes.length };
    if (candidate !== undefined && this.isEqual(candidate, bytes))
      return { ...found, same: candidate, staged: undefined };
    if (!this.#writes) return { ...found, same: undefined, staged: undefined };
    return { ...found, same: undefined, staged: await this.stage(bytes) };
  }

  /** Stages bytes, synced; returns the name. Throws failed(). */
  async stage(bytes: Uint8Array, name = stagedFile(this.#serial++)): Promise<string> {
    const file = path.join(this.#set.place.staged, name);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    try {
      const handle = await open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        await writeWhole(handle, bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw stageFailure(file, error);
    }
    return name;
  }

  /** Stages a file of the old set that gets another name. */
  async stageOld(name: string): Promise<string> {
    const { place } = this.#set;
    const old = path.join(place.directory, name);
    const staged = stagedFile(this.#serial++);
    const file = path.join(place.staged, staged);
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

  /**
   * Whether a file of the old set has these very bytes. At once: handing every read to another thread
   * and back takes longer than to read.
   */
  isEqual(name: string, bytes: Buffer): boolean {
    const file = path.join(this.#set.place.directory, name);
    try {
      const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        return fstatSync(descriptor).size === bytes.length && this.#holds(descriptor, bytes);
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      // What can't be read, as on a bad disk, is written anew.
      if (systemCode(error) === undefined) throw error;
      return false;
    }
  }

  #holds(descriptor: number, bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length;) {
      const count = readSync(descriptor, this.#piece, 0, piece, at);
      const end = at + count;
      if (count === 0 || this.#piece.compare(bytes, at, end, 0, count) !== 0) return false;
      at = end;
    }
    return true;
  }
}

/** In one piece: writeFile would write half a megabyte at a time. */
async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;)
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

function contentKey(label: string, occurrence: number, hash: string, bytes: number): string {
  return `${label} ${occurrence} ${hash} ${bytes}`;
}

function stageFailure(file: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code !== "ENOSPC" && code !== "EDQUOT") return writeFailure(file, cause);
  return failed(`cannot write ${file}: the disk is full (${code})`, {
    hint: "the files of the dump before are as they were; make room there and run the command again",
    cause,
  });
}
