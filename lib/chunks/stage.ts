import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { systemCode } from "../errors.ts";
import type { RunningHash } from "./hash.ts";
import { parseChunkName } from "./names.ts";
import type { SetFile } from "./manifest.ts";
import type { ChunkSet } from "./set.ts";
import type { StagedFile, Staging } from "./staging.ts";

/** A chunk of the new set. */
export interface Taken {
  readonly hash: string;
  readonly bytes: number;
  /** The file of the old set with the very same bytes. */
  readonly same: string | undefined;
  /** What it was staged as; undefined where it is the same, or nothing is to be written. */
  readonly staged: string | undefined;
}

/** A chunk of which only the beginning is known. */
interface Begun {
  bytes: number;
  /** Undefined where nothing is to be written. */
  readonly file: StagedFile | undefined;
}

const piece = 512 * 1024;

/** So many chunks that changed one after another don't hide where an old one goes on. */
const reach = 16;

/** Compares chunks of a new dump with the files that are there, and stages those that differ. */
export class Stager {
  readonly #set: ChunkSet;
  readonly #hash: RunningHash;
  readonly #staging: Staging | undefined;
  /** The names of files by section and content: those of equal content in their order. */
  readonly #old = new Map<string, string[]>();
  /** The files of each section, in their order. */
  readonly #sections = new Map<string, SetFile[]>();
  /** Where each file stands in its section. */
  readonly #positions = new Map<string, number>();
  readonly #piece = Buffer.allocUnsafeSlow(piece);
  #begun: Begun | undefined;

  /** Nothing is staged without `staging`. */
  constructor(set: ChunkSet, hash: RunningHash, staging: Staging | undefined) {
    this.#set = set;
    this.#hash = hash;
    this.#staging = staging;
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

  /**
   * Takes more of a chunk whose end is not yet known, and is part of the next one that is taken. So it is
   * hashed while it is in the processor's cache, and on its way to the disk when its end is found. Where the
   * old set has this section, nothing happens: the whole chunk may be one of its files. The bytes must stay
   * until it has resolved. Throws failed().
   */
  async takeAhead(label: string, occurrence: number, bytes: Buffer): Promise<void> {
    if (this.#sections.has(`${label} ${occurrence}`)) return;
    if (this.#begun === undefined) {
      this.#hash.begin();
      this.#begun = { bytes: 0, file: this.#staging?.begin() };
    }
    this.#begun.bytes += bytes.length;
    this.#hash.add(bytes);
    await this.#begun.file?.append(bytes);
  }

  /** Takes the next chunk of a section: the n-th with this label. The bytes must stay until it has resolved. */
  async take(label: string, occurrence: number, bytes: Buffer): Promise<Taken> {
    const begun = this.#takeBegun(bytes.length);
    const rest = bytes.subarray(begun?.bytes ?? 0);
    if (begun === undefined) this.#hash.begin();
    this.#hash.add(rest);
    const found = { hash: this.#hash.end(), bytes: bytes.length };
    if (begun === undefined) {
      const key = contentKey(label, occurrence, found.hash, bytes.length);
      const candidate = this.#old.get(key)?.shift();
      if (candidate !== undefined && this.isEqual(candidate, bytes))
        return { ...found, same: candidate, staged: undefined };
    }
    const file = begun === undefined ? this.#staging?.begin() : begun.file;
    try {
      await file?.append(rest);
    } finally {
      file?.finish();
    }
    return { ...found, same: undefined, staged: file?.name };
  }

  /** Gives up what was taken ahead of a chunk that never came. */
  abandon(): void {
    this.#begun?.file?.drop();
    this.#begun = undefined;
  }

  /** What was taken ahead; undefined where nothing was, or more than the chunk has now. */
  #takeBegun(length: number): Begun | undefined {
    const begun = this.#begun;
    if (begun !== undefined && begun.bytes > length) {
      this.abandon();
      return undefined;
    }
    this.#begun = undefined;
    return begun;
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

function contentKey(label: string, occurrence: number, hash: string, bytes: number): string {
  return `${label} ${occurrence} ${hash} ${bytes}`;
}
