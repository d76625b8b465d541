import { rawFromSystem } from "../units/encoding.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";

/** What a backup shows, and what only its history does: superseded and deleted versions. */
export type Part = "current" | "old";

export interface Amount {
  readonly bytes: number;
  /** Files, or versions of files where the part is "old". */
  readonly files: number;
}

export interface TreeOptions {
  /** Keeps a node for every file too, and not only for directories. */
  readonly files: boolean;
  /**
   * How the names come: in rclone's standard encoding, or as the system has them, to be encoded
   * when they are asked for.
   */
  readonly names: "standard" | "system";
}

const slash = 0x2f;
const dot = 0x2e;
const directory = 0;
const file = 1;

/**
 * Sizes below every directory, in columns of numbers and one run of bytes for all names: a million
 * nodes take about 60 MB, as objects they would take five times that. Node 0 is the top, and every
 * node comes after the directory that it is in.
 */
export class SizeTree {
  readonly #options: TreeOptions;
  #length = 0;
  #totalled = false;
  #parent = new Uint32Array(1024);
  #nameStart = new Uint32Array(1024);
  #nameLength = new Uint32Array(1024);
  #hash = new Int32Array(1024);
  #kind = new Uint8Array(1024);
  #bytes = { current: new Float64Array(1024), old: new Float64Array(1024) };
  #files = { current: new Uint32Array(1024), old: new Uint32Array(1024) };
  #names: Buffer<ArrayBuffer> = Buffer.allocUnsafe(16_384);
  #namesEnd = 0;
  /** Open addressing: a node's number plus 1 where its hash says, or after that; 0 is free. */
  #slots = new Uint32Array(4096);
  #scratch = Buffer.allocUnsafe(4096);

  constructor(options: TreeOptions) {
    this.#options = options;
    this.#make(0, directory, this.#names, 0, 0, 0);
  }

  /** How many nodes there are. */
  get length(): number {
    return this.#length;
  }

  /** Counts a file by its path; empty and `.` segments don't matter. Throws after `total()`. */
  add(path: RawPath, bytes: number, part: Part): void {
    if (path.length > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(path.length * 2);
    this.addBytes(this.#scratch, 0, this.#scratch.write(path, 0, "latin1"), bytes, part);
  }

  /** As `add`, for the path whose bytes stand in a buffer. */
  addBytes(buffer: Uint8Array, start: number, end: number, bytes: number, part: Part): void {
    if (this.#totalled) throw new RangeError("expected a tree that is not totalled yet");
    let node = 0;
    let from = start;
    for (let at = start; at < end; at += 1) {
      if (buffer[at] !== slash) continue;
      node = this.#child(node, directory, buffer, from, at);
      from = at + 1;
    }
    if (this.#options.files) node = this.#child(node, file, buffer, from, end);
    this.#bytes[part][node] = (this.#bytes[part][node] ?? 0) + bytes;
    this.#files[part][node] = (this.#files[part][node] ?? 0) + 1;
  }

  /** Adds what is in each node to all that are above it: from here on, amounts are totals. */
  total(): this {
    if (this.#totalled) return this;
    this.#totalled = true;
    for (const column of [
      this.#bytes.current,
      this.#bytes.old,
      this.#files.current,
      this.#files.old,
    ]) {
      for (let node = this.#length - 1; node > 0; node -= 1) {
        const parent = this.#parent[node] ?? 0;
        column[parent] = (column[parent] ?? 0) + (column[node] ?? 0);
      }
    }
    return this;
  }

  amount(node: number, part: Part): Amount {
    return { bytes: this.bytes(node, part), files: this.#files[part][node] ?? 0 };
  }

  bytes(node: number, part: Part): number {
    return this.#bytes[part][node] ?? 0;
  }

  /** The directory that a node is in; the top is in itself. */
  parent(node: number): number {
    return this.#parent[node] ?? 0;
  }

  isFile(node: number): boolean {
    return this.#kind[node] === file;
  }

  /** The last segment of a node's path; empty at the top. */
  name(node: number): RawPath {
    const start = this.#nameStart[node] ?? 0;
    const name = this.#names.toString("latin1", start, start + (this.#nameLength[node] ?? 0));
    return this.#options.names === "system" ? rawFromSystem(name) : rawFromBytes(name);
  }

  /** The whole path; `.` at the top. */
  path(node: number): RawPath {
    if (node === 0) return rawFromBytes(".");
    let path: string = this.name(node);
    for (let at = this.parent(node); at !== 0; at = this.parent(at))
      path = `${this.name(at)}/${path}`;
    return rawFromBytes(path);
  }

  #child(parent: number, kind: number, buffer: Uint8Array, start: number, end: number): number {
    if (end === start || (end === start + 1 && buffer[start] === dot)) return parent;
    let hash = Math.imul(parent * 2 + kind, 0x9e37_79b1);
    for (let at = start; at < end; at += 1)
      hash = Math.imul(hash ^ (buffer[at] ?? 0), 0x0100_0193) ^ (hash >>> 15);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const node = (this.#slots[slot] ?? 0) - 1;
      if (node < 0) break;
      if (
        this.#hash[node] === hash &&
        this.#parent[node] === parent &&
        this.#kind[node] === kind &&
        this.#isNamed(node, buffer, start, end)
      )
        return node;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.#length + 1;
    const node = this.#make(parent, kind, buffer, start, end, hash);
    if (this.#length * 2 > this.#slots.length) this.#spread();
    return node;
  }

  #isNamed(node: number, buffer: Uint8Array, start: number, end: number): boolean {
    if (this.#nameLength[node] !== end - start) return false;
    const name = (this.#nameStart[node] ?? 0) - start;
    for (let at = start; at < end; at += 1) if (this.#names[name + at] !== buffer[at]) return false;
    return true;
  }

  #make(
    parent: number,
    kind: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    hash: number,
  ): number {
    const node = this.#length;
    if (node === this.#parent.length) this.#grow();
    const length = end - start;
    if (this.#namesEnd + length > this.#names.length) {
      const wider = Buffer.allocUnsafe(Math.max(this.#names.length * 2, this.#namesEnd + length));
      wider.set(this.#names.subarray(0, this.#namesEnd));
      this.#names = wider;
    }
    for (let at = 0; at < length; at += 1)
      this.#names[this.#namesEnd + at] = buffer[start + at] ?? 0;
    this.#parent[node] = parent;
    this.#kind[node] = kind;
    this.#hash[node] = hash;
    this.#nameStart[node] = this.#namesEnd;
    this.#nameLength[node] = length;
    this.#namesEnd += length;
    this.#length += 1;
    return node;
  }

  #grow(): void {
    const length = this.#length * 2;
    this.#parent = copied(this.#parent, new Uint32Array(length));
    this.#nameStart = copied(this.#nameStart, new Uint32Array(length));
    this.#nameLength = copied(this.#nameLength, new Uint32Array(length));
    this.#hash = copied(this.#hash, new Int32Array(length));
    this.#kind = copied(this.#kind, new Uint8Array(length));
    for (const part of ["current", "old"] as const) {
      this.#bytes[part] = copied(this.#bytes[part], new Float64Array(length));
      this.#files[part] = copied(this.#files[part], new Uint32Array(length));
    }
  }

  /** Doubles the table of slots. */
  #spread(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 1; node < this.#length; node += 1) {
      let slot = (this.#hash[node] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node + 1;
    }
    this.#slots = slots;
  }
}

function copied<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
