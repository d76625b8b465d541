/*
 * Where in PostgreSQL's SQL a line begins that is none of a string, a quoted name, a function's body or
 * rows of COPY. The rules are those of PostgreSQL's manual, "Lexical Structure" and "COPY", as far as
 * pg_dump makes use of them: it doubles quotes and backslashes, and writes no block comments.
 */

const newline = 0x0a;
const quote = 0x27;
const doubleQuote = 0x22;
const dollar = 0x24;
const minus = 0x2d;
const backslash = 0x5c;
const letterF = 0x46;

/** A string is looked through here so far; what is longer is searched natively. */
const shortString = 64;

type Mode =
  /** At the beginning of a line of SQL. */
  | "line"
  /** Within one. */
  | "text"
  /** In a comment or a command of psql, up to the end of the line. */
  | "remark"
  | "string"
  | "name"
  /** In a dollar-quoted string. */
  | "body"
  /** In the rows of COPY; the newline before them is the first byte. */
  | "rows";

const stops = byteSet([newline, quote, doubleQuote, dollar, minus]);
const stopsInCopy = byteSet([newline, quote, doubleQuote, dollar, minus, letterF]);
/** How a line begins that may be more than a line of SQL: `--`, `\unrestrict`, `SET`; `ALTER`, `DROP` and `UPDATE`. */
const landmarks = byteSet([minus, backslash, 0x53, 0x41, 0x44, 0x55]);

const rowsBegin = Buffer.from("FROM stdin;\n");
const rowsEnd = Buffer.from("\n\\.\n");
const copy = Buffer.from("COPY ");
/** The longest that a name may be, which the tag of a dollar quote is, and its two dollars. */
const longestTag = 65;

/** How many bytes behind its place the lexer looks at. */
export const lexerLooksAhead = longestTag;

/** Goes through the text of a dump; keeps what it needs to go on in the next window. */
export class PgLexer {
  #mode: Mode = "line";
  #tag: Buffer = Buffer.alloc(0);
  #inCopy = false;
  /** Where the last call began, and the byte before that, which may be gone from the window. */
  #began = 0;
  #before = newline;

  /** Whether the present place is the beginning of a line of SQL, outside of all quotes and rows. */
  get isAtLine(): boolean {
    return this.#mode === "line";
  }

  /**
   * Goes on from offset `from`, by one byte at least, to the next line of SQL that begins like a
   * landmark, at most to `limit`; returns the offset. Behind `limit` there must be `lexerLooksAhead`
   * bytes, or nothing must follow.
   */
  advance(bytes: Buffer, from: number, limit: number): number {
    let at = from;
    this.#began = from;
    do at = this.#step(bytes, at, limit);
    while (at < limit && !(this.#mode === "line" && landmarks[bytes[at] ?? 0] === 1));
    this.#before = bytes[at - 1] ?? newline;
    return at;
  }

  /** The lines up to here were taken by the caller: a line of SQL begins. */
  skipLines(): void {
    this.#mode = "line";
    this.#before = newline;
  }

  #step(bytes: Buffer, at: number, limit: number): number {
    switch (this.#mode) {
      case "line":
        return this.#beginLine(bytes, at);
      case "text":
        return this.#throughText(bytes, at, limit);
      case "remark":
        return this.#leave(bytes.indexOf(newline, at), 1, limit, "line");
      case "string":
        return this.#throughQuoted(bytes, at, limit, quote);
      case "name":
        return this.#throughQuoted(bytes, at, limit, doubleQuote);
      case "body":
        return this.#leave(bytes.indexOf(this.#tag, at), this.#tag.length, limit, "text");
      case "rows":
        return this.#leave(bytes.indexOf(rowsEnd, at), rowsEnd.length, limit, "line");
    }
  }

  #beginLine(bytes: Buffer, at: number): number {
    const first = bytes[at];
    if (first === newline) return at + 1;
    const isRemark = first === backslash || (first === minus && bytes[at + 1] === minus);
    this.#mode = isRemark ? "remark" : "text";
    this.#inCopy = first === copy[0] && holds(bytes, at, copy);
    return at;
  }

  #throughText(bytes: Buffer, from: number, limit: number): number {
    const table = this.#inCopy ? stopsInCopy : stops;
    let at = from;
    while (at < limit && table[bytes[at] ?? 0] === 0) at += 1;
    if (at >= limit) return at;
    switch (bytes[at]) {
      case newline:
        this.#mode = "line";
        return at + 1;
      case quote:
        this.#mode = "string";
        return at + 1;
      case doubleQuote:
        this.#mode = "name";
        return at + 1;
      case dollar:
        return this.#throughDollar(bytes, at);
      case minus:
        if (bytes[at + 1] === minus) this.#mode = "remark";
        return at + 1;
      default:
        if (!holds(bytes, at, rowsBegin)) return at + 1;
        this.#mode = "rows";
        return at + rowsBegin.length - 1;
    }
  }

  /** A dollar begins a string unless it is part of a name or of a parameter ($1). */
  #throughDollar(bytes: Buffer, at: number): number {
    const before = at > this.#began ? (bytes[at - 1] ?? newline) : this.#before;
    const text = bytes.toString("latin1", at, Math.min(at + longestTag, bytes.length));
    const tag = /^\$(?:[A-Za-z_\u0080-\u00ff][\w\u0080-\u00ff]*)?\$/.exec(text)?.[0];
    if (tag === undefined || /[\w$\u0080-\u00ff]/.test(String.fromCodePoint(before))) return at + 1;
    this.#mode = "body";
    this.#tag = Buffer.from(tag, "latin1");
    return at + tag.length;
  }

  #throughQuoted(bytes: Buffer, from: number, limit: number, end: number): number {
    let at = from;
    const near = Math.min(limit, from + shortString);
    while (at < near && bytes[at] !== end) at += 1;
    if (at < near) {
      this.#mode = "text";
      return at + 1;
    }
    return this.#leave(bytes.indexOf(end, at), 1, limit, "text");
  }

  /** Goes behind what was found, if it begins before the limit, and on in another mode. */
  #leave(found: number, length: number, limit: number, mode: Mode): number {
    if (found < 0 || found >= limit) return limit;
    this.#mode = mode;
    return found + length;
  }
}

function holds(bytes: Buffer, at: number, wanted: Buffer): boolean {
  const end = at + wanted.length;
  return end <= bytes.length && bytes.compare(wanted, 0, wanted.length, at, end) === 0;
}

function byteSet(members: readonly number[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of members) set[byte] = 1;
  return set;
}
