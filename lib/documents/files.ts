import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { failed, systemCode } from "../errors.ts";
import { openToRead } from "../process/quietread.ts";
import { writeFailure } from "../process/writefailure.ts";
import { idOf, isWhole, type Value } from "./bson.ts";
import { directoryOfKey, shortId, writeKey, type Key } from "./key.ts";
import { refuseLinks } from "./links.ts";
import { idOfName } from "./nameid.ts";
import { isDocumentName } from "./names.ts";
import { documentPath, isDocumentPath, isShardName, shardName, temporaryName } from "./place.ts";

/*
 * The system is called synchronously: for a million small files, the way through Node's threads
 * costs more than the calls. Whoever calls lets the event loop run between pages.
 */

/** The files of a collection's documents. */
export class DocumentFiles {
  readonly #directory: string;
  readonly #temporary: string;
  /** Directories of documents that are known to be no links. */
  readonly #checked = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#temporary = `${directory}/${temporaryName}`;
  }

  /** Writes the file of a document: whole under its name, or not at all. Throws failed(). */
  write(id: Value, bytes: Uint8Array): void {
    this.writeNamed(documentPath(id), bytes);
  }

  /** The same by its name from the collection's directory. */
  writeNamed(name: string, bytes: Uint8Array): void {
    const file = `${this.#directory}/${name}`;
    this.#check(name.slice(0, name.indexOf("/")));
    try {
      this.#writeTemporary(bytes);
      try {
        renameSync(this.#temporary, file);
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
        mkdirSync(file.slice(0, file.lastIndexOf("/")), { mode: 0o700 });
        renameSync(this.#temporary, file);
      }
    } catch (error) {
      this.removeTemporary();
      throw writeFailure(file, error);
    }
  }

  /**
   * Writes the file of a document under its name at once: for a directory that nobody looks into before all is
   * there, and whose files are read again where that did not come. Throws failed().
   */
  writeBare(bytes: Uint8Array): void {
    const id = idOf(bytes);
    if (id === undefined) throw failed("expected a document with an _id, found one without");
    const name = documentPath(id);
    const shard = name.slice(0, name.indexOf("/"));
    const file = `${this.#directory}/${name}`;
    try {
      if (!this.#checked.has(shard)) {
        this.#check(shard);
        mkdirSync(`${this.#directory}/${shard}`, { recursive: true, mode: 0o700 });
      }
      writeWhole(openSync(file, bareFlags, 0o600), bytes);
    } catch (error) {
      throw writeFailure(file, error);
    }
  }

  /** What a run that was killed may have left. */
  removeTemporary(): void {
    try {
      unlinkSync(this.#temporary);
    } catch {
      // It isn't there.
    }
  }

  /** Removes files of documents by their keys, and directories that are empty then. Returns how many. */
  remove(keys: Iterable<Key>): number {
    const shards = new Set<string>();
    let removed = 0;
    for (const { file } of this.documentsOf(keys)) {
      removed += this.#unlink(file);
      shards.add(file.slice(0, file.indexOf("/")));
    }
    for (const shard of shards) this.#removeEmpty(shard);
    return removed;
  }

  /** The ids that keys stand for, and the names of the files; of long ids, those whose files are there. */
  *documentsOf(keys: Iterable<Key>): Generator<{ readonly id: Value; readonly file: string }> {
    const byShard = new Map<number, Set<string>>();
    const key: Key = new Uint32Array(4);
    for (const each of keys) {
      const id = shortId(each);
      if (id !== undefined) {
        yield { id, file: documentPath(id) };
        continue;
      }
      const shard = directoryOfKey(each);
      const waiting = byShard.get(shard) ?? new Set();
      byShard.set(shard, waiting.add(each.join()));
    }
    for (const [shard, wanted] of byShard) {
      const directory = shardName(shard);
      for (const name of this.names(directory)) {
        const file = `${directory}/${name}`;
        const id = idOfName(name) ?? this.read(file)?.id;
        if (id === undefined) continue;
        writeKey(id, key);
        if (wanted.has(key.join())) yield { id, file };
      }
    }
  }

  /** Removes those of these files that hold no whole document still. */
  removeDamaged(files: readonly string[]): void {
    for (const file of files) {
      if (this.read(file) !== undefined) continue;
      this.#unlink(file);
      this.#removeEmpty(file.slice(0, file.indexOf("/")));
    }
  }

  /** Removes a file by its name from the collection's directory; 0 where there was none. */
  #unlink(name: string): number {
    this.#check(name.slice(0, name.indexOf("/")));
    try {
      unlinkSync(`${this.#directory}/${name}`);
      return 1;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return 0;
      throw failed(`cannot remove ${this.#directory}/${name} (${systemCode(error) ?? "unknown"})`, {
        cause: error,
      });
    }
  }

  /** Throws refused() for a link, before anything is written or removed behind it. */
  #check(shard: string): void {
    if (this.#checked.has(shard)) return;
    refuseLinks(`${this.#directory}/${shard}`);
    this.#checked.add(shard);
  }

  #removeEmpty(shard: string): void {
    this.#check(shard);
    try {
      rmdirSync(`${this.#directory}/${shard}`);
    } catch (error) {
      const code = systemCode(error);
      if (!["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"].includes(code ?? "")) throw error;
    }
  }

  /** The names of the directories of documents, sorted. */
  shards(): readonly string[] {
    return this.#list("").filter(isShardName).toSorted();
  }

  /** The names of the files of documents in one of them, sorted. */
  names(shard: string): readonly string[] {
    return this.#list(shard).filter(isDocumentName).toSorted();
  }

  /** Reads a document's file; undefined where there is none, or it holds none, or that of another name. */
  read(file: string): { readonly id: Value; readonly bytes: Buffer } | undefined {
    const bytes = readSmall(`${this.#directory}/${file}`);
    if (bytes === undefined) return undefined;
    const id = idOfWhole(bytes);
    return id !== undefined && isDocumentPath(file, id) ? { id, bytes } : undefined;
  }

  /** Reads a file into bytes from `at` on, as far as there is room; how many it were, undefined where there is no file. */
  readInto(file: string, into: Uint8Array, at: number): number | undefined {
    const descriptor = openExisting(`${this.#directory}/${file}`);
    if (descriptor === undefined) return undefined;
    try {
      return readSync(descriptor, into, at, into.length - at, 0);
    } finally {
      closeSync(descriptor);
    }
  }

  #list(below: string): readonly string[] {
    try {
      return readdirSync(`${this.#directory}/${below}`);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  }

  #writeTemporary(bytes: Uint8Array): void {
    writeWhole(openNew(this.#temporary), bytes);
  }
}

const bareFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** Writes bytes and closes the file. */
function writeWhole(descriptor: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file that was not there; one that a killed run left, or a link, is removed: the name is ours alone. */
function openNew(file: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  try {
    return openSync(file, flags, 0o600);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    unlinkSync(file);
    return openSync(file, flags, 0o600);
  }
}

/** So much is read at once; most documents are smaller. */
const scratch = Buffer.allocUnsafe(65_536);

/** The bytes of a file; undefined where there is none. For small ones with fewer calls than readFileSync. */
function readSmall(file: string): Buffer | undefined {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return undefined;
  try {
    const length = readSync(descriptor, scratch, 0, scratch.length, 0);
    if (length < scratch.length) return Buffer.from(scratch.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
  return readFileSync(file);
}

function openExisting(file: string): number | undefined {
  try {
    return openToRead(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function idOfWhole(bytes: Uint8Array): Value | undefined {
  if (!isWhole(bytes)) return undefined;
  try {
    return idOf(bytes);
  } catch {
    return undefined;
  }
}
