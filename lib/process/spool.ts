import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { writeFailure } from "./writefailure.ts";

const flushAt = 64 * 1024;
const lineFeed = 10;

/**
 * A file of lines written as they come. Writes are synchronous, so that lines that arrive faster
 * than the disk takes them never pile up in memory. Lines are Latin-1, as raw paths are.
 */
export class LineSpool {
  readonly file: string;
  readonly #descriptor: number;
  #pending = "";
  #written = 0;
  /** What writeBytes has taken: made when it is first called. */
  #bytes = new Uint8Array(0);
  #filled = 0;

  /** Opens the file anew. This and all that follows throw failed() when the disk is full. */
  constructor(file: string) {
    this.file = file;
    try {
      this.#descriptor = openSync(file, "w", 0o600);
    } catch (error) {
      throw writeFailure(file, error);
    }
  }

  write(line: string): void {
    if (this.#filled > 0) this.#flush();
    this.#pending += `${line}\n`;
    if (this.#pending.length >= flushAt) this.#flush();
  }

  /** Writes bytes[start, end) as a line: a million lines need no strings then. */
  writeBytes(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start + 1;
    if (this.#pending !== "" || this.#filled + length > this.#bytes.length) this.#flush();
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(Math.max(length, flushAt));
    this.#bytes.set(bytes.subarray(start, end), this.#filled);
    this.#filled += length;
    this.#bytes[this.#filled - 1] = lineFeed;
  }

  /** How many bytes there are so far. */
  get length(): number {
    return this.#written + this.#pending.length + this.#filled;
  }

  /** Drops all behind so many bytes. */
  cut(length: number): void {
    this.#flush();
    try {
      ftruncateSync(this.#descriptor, length);
    } catch (error) {
      throw writeFailure(this.file, error);
    }
    this.#written = length;
  }

  /** Writes what is pending and closes; with `sync` the content is on disk when it returns. */
  close(options: { sync?: boolean } = {}): void {
    try {
      this.#flush();
      if (options.sync === true) fsyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
    }
  }

  #flush(): void {
    const bytes =
      this.#filled > 0
        ? this.#bytes.subarray(0, this.#filled)
        : Buffer.from(this.#pending, "latin1");
    this.#pending = "";
    this.#filled = 0;
    try {
      writeWhole(this.#descriptor, bytes, this.#written);
      this.#written += bytes.length;
    } catch (error) {
      throw writeFailure(this.file, error);
    }
  }
}

/** Writes all of the bytes from a position of the file on. Throws the system's error. */
function writeWhole(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;)
    at += writeSync(descriptor, bytes, at, bytes.length - at, position + at);
}
