import { isMode, readColumns, type Columns } from "./columns.ts";
import {
  addUnread,
  LineCutter,
  noteUnread,
  type ListingParser,
  type OnFile,
  type Unread,
} from "./lines.ts";

const dash = 0x2d;
const colon = 0x3a;
const newline = 0x0a;

/**
 * Reads `ls -lR`, of one or several directories or files. Only regular files count: a link's size is
 * the length of its target. ls does not mark a newline in a name, so a line that is no entry belongs
 * to the name before it.
 */
export function lsParser(onFile: OnFile, unread: Unread): ListingParser {
  return new LsParser(onFile, unread);
}

class LsParser implements ListingParser {
  readonly #onFile: OnFile;
  readonly #unread: Unread;
  readonly #lines = new LineCutter((buffer, start, end) => this.#line(buffer, start, end));
  readonly #columns: Columns = { nameStart: 0, size: 0 };
  #number = 0;
  /** The directory's path and a slash, and behind it the name of the entry that is being read. */
  #path = Buffer.allocUnsafe(1024);
  #directoryEnd = 0;
  #pathEnd = 0;
  #size = 0;
  /** `file` is an entry that counts, `other` one that doesn't, `header` the name of a directory. */
  #state: "start" | "header" | "directory" | "file" | "other" = "start";
  /** Whether the first line of the header may be a total, which the lines behind it decide. */
  #total = false;
  /** The lines of a header whose end hasn't come: without it they can't be read. */
  #open: Unread = { count: 0, first: 0, text: "" };

  constructor(onFile: OnFile, unread: Unread) {
    this.#onFile = onFile;
    this.#unread = unread;
  }

  take(chunk: Buffer): void {
    this.#lines.take(chunk);
  }

  end(): void {
    this.#lines.end();
    this.#flush();
  }

  #line(buffer: Buffer, start: number, end: number): void {
    this.#number += 1;
    if (start === end) {
      this.#flush();
      this.#state = "start";
      return;
    }
    const inHeader = this.#state === "header";
    const from = inHeader && !this.#total ? -1 : modeStart(buffer, start, end);
    if (from >= 0) this.#entry(buffer, from, start, end);
    else if (inHeader || this.#state === "start") this.#header(buffer, start, end);
    else if (this.#state === "directory" && isTotal(buffer, start, end)) this.#state = "other";
    else if (this.#state === "file") this.#append(newline, buffer, start, end);
    else if (this.#state === "directory")
      noteUnread(this.#unread, this.#number, buffer, start, end);
  }

  #entry(buffer: Buffer, from: number, start: number, end: number): void {
    this.#flush();
    this.#state = "other";
    if (buffer[from] !== dash) return;
    if (!readColumns(buffer, from, end, true, this.#columns)) {
      noteUnread(this.#unread, this.#number, buffer, start, end);
      return;
    }
    this.#state = "file";
    this.#size = this.#columns.size;
    this.#pathEnd = this.#directoryEnd;
    this.#append(undefined, buffer, this.#columns.nameStart, end);
  }

  /** `PATH:`, where a path that holds newlines goes on to the line that ends in the colon. */
  #header(buffer: Buffer, start: number, end: number): void {
    const isFirst = this.#state === "start";
    if (isFirst) {
      this.#pathEnd = 0;
      this.#directoryEnd = 0;
      this.#open = { count: 0, first: 0, text: "" };
      this.#total = isTotal(buffer, start, end);
    }
    if (!isFirst || !this.#total) noteUnread(this.#open, this.#number, buffer, start, end);
    this.#append(isFirst ? undefined : newline, buffer, start, end);
    this.#state = "header";
    if (buffer[end - 1] !== colon) return;
    this.#path[this.#pathEnd - 1] = 0x2f;
    this.#directoryEnd = this.#pathEnd;
    this.#state = "directory";
  }

  #append(separator: number | undefined, buffer: Buffer, start: number, end: number): void {
    const needed = this.#pathEnd + end - start + 1;
    if (needed > this.#path.length) {
      const wider = Buffer.allocUnsafe(needed * 2);
      wider.set(this.#path.subarray(0, this.#pathEnd));
      this.#path = wider;
    }
    let to = this.#pathEnd;
    if (separator !== undefined) this.#path[to++] = separator;
    for (let at = start; at < end; at += 1) this.#path[to++] = buffer[at] ?? 0;
    this.#pathEnd = to;
  }

  #flush(): void {
    if (this.#state === "file") this.#onFile(this.#path, 0, this.#pathEnd, this.#size);
    if (this.#state === "header") addUnread(this.#unread, this.#open);
    this.#state = "other";
  }
}

/** Where the mode begins; before it `ls -i` and `ls -s` put numbers. -1 when the line is no entry. */
function modeStart(buffer: Buffer, start: number, end: number): number {
  if (isMode(buffer, start, end)) return start;
  let at = start;
  while (at < end && isOfNumber(buffer[at] ?? 0)) at += 1;
  return at > start && isMode(buffer, at, end) ? at : -1;
}

/** `total 12`, in any language. */
function isTotal(buffer: Buffer, start: number, end: number): boolean {
  return (
    end - start < 80 && /^[^\s\d]\S* [\d.,]+[KMGTPE]?$/.test(buffer.toString("latin1", start, end))
  );
}

const ofNumbers = new Set(Buffer.from(" 0123456789.,KMGTPE"));

function isOfNumber(byte: number): boolean {
  return ofNumbers.has(byte);
}
