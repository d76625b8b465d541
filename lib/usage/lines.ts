import { failed } from "../errors.ts";

/** What a parser calls for every file that it finds: the bytes of its path, and its size. */
export type OnFile = (buffer: Uint8Array, start: number, end: number, size: number) => void;

/** Reads a listing piece by piece. A piece may be overwritten after `take` returns. */
export interface ListingParser {
  take(chunk: Buffer): void;
  end(): void;
}

/** What could not be understood of a listing. */
export interface Unread {
  count: number;
  /** Number of the first such line (of the first such object in JSON), counted from 1. */
  first: number;
  /** Its beginning, as Latin-1. */
  text: string;
}

/** Input that never ends a line must not fill our memory. */
const longest = 1024 * 1024;

/**
 * Cuts pieces into lines, without their ends, and hands on where each one stands in a buffer.
 * Throws failed for a line of more than a MiB.
 */
export class LineCutter {
  readonly #onLine: (buffer: Buffer, start: number, end: number) => void;
  #rest: Buffer | undefined;

  constructor(onLine: (buffer: Buffer, start: number, end: number) => void) {
    this.#onLine = onLine;
  }

  take(chunk: Buffer): void {
    let buffer = chunk;
    if (this.#rest !== undefined) {
      if (this.#rest.length > longest)
        throw failed("listing: expected lines, found one of more than 1 MiB");
      buffer = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    let start = 0;
    for (let end = buffer.indexOf(10); end >= 0; end = buffer.indexOf(10, start)) {
      this.#onLine(buffer, start, end);
      start = end + 1;
    }
    if (start < buffer.length) this.#rest = Buffer.from(buffer.subarray(start));
  }

  end(): void {
    if (this.#rest !== undefined) this.#onLine(this.#rest, 0, this.#rest.length);
    this.#rest = undefined;
  }
}

/** Remembers the first line that could not be read, and counts the others. */
export function noteUnread(
  unread: Unread,
  line: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  unread.count += 1;
  if (unread.count > 1) return;
  unread.first = line;
  unread.text = buffer.toString("latin1", start, Math.min(end, start + 80));
}

/** Counts what could not be read of a part that comes later. */
export function addUnread(unread: Unread, { count, first, text }: Unread): void {
  if (count === 0) return;
  if (unread.count === 0) Object.assign(unread, { first, text });
  unread.count += count;
}
