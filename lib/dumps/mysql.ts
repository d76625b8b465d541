import { failed, usage, type Failure } from "../errors.ts";
import { sectionOfTitle, unheadedIn } from "./mysqltitle.ts";
import type { DumpKind, DumpScanner, Scanned, Section, SectionStart } from "./scanner.ts";

/** Nothing that is looked for is longer, a name of 64 characters in its heading included. */
const lookahead = 1024;

// All begin with the end of the line before, so that only whole lines are found.
const heading = Buffer.from("\n--\n-- ");
const bodyBegins = Buffer.from("\nDELIMITER ;;\n");
const bodyEnds = Buffer.from("\nDELIMITER ;\n");
const dataEnds = Buffer.from("\nUNLOCK TABLES;\n");
/**
 * Looked for among rows: a part that begins with a byte which is rarer there than the end of a line. Node looks
 * for fewer than eight bytes by their first, three times as fast as for more.
 */
const dataMayEnd = Buffer.from("K TABLE");
const before = dataEnds.indexOf(dataMayEnd);
/** Of another dump: rows of the same one end before. It holds what is looked for among them. */
const dataBegins = Buffer.from("\nLOCK TABLES ");
const beforeBegins = dataBegins.indexOf(dataMayEnd);
const tails = [
  "\nSET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;",
  "\n/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;",
  "\n-- Dump completed",
].map((text) => Buffer.from(text));

/** What closes the transaction of a table's rows (--no-autocommit) belongs to them. */
const closing = /^(?:(?:commit|set autocommit ?= ?[^;\n]*);\n)*/i;
const nothingMore =
  /^\n*(?:--\n-- |SET @@SESSION\.SQL_LOG_BIN = |\/\*!40103 SET TIME_ZONE=@OLD|-- Dump completed|$)/;

/**
 * Finds the sections of what mysqldump or mariadb-dump wrote. Rows hold no line ends of their own (the
 * programs escape them), so between LOCK TABLES and UNLOCK TABLES nothing else is looked for.
 */
export class MysqlScanner implements DumpScanner {
  #kind: DumpKind | undefined;
  #isComplete = false;
  #hasOrigin = false;
  #database: string | undefined;
  /** The section that the bytes are of. */
  #section: Section = { kind: "head" };
  /** What it is in: rows between locks, the body of a routine, or anything else. */
  #inside: "rows" | "body" | undefined;

  scan(window: Buffer, from: number, end: number, last: boolean): Scanned {
    const bytes = window.subarray(0, end);
    const limit = last ? end : end - lookahead;
    const starts: SectionStart[] = [];
    if (last) this.#isComplete = isComplete(bytes.toString("latin1", Math.max(end - 512, 0), end));
    if (from >= limit) return { starts, decided: from };
    if (this.#kind === undefined) this.#recognise(bytes.subarray(from, from + lookahead));
    let at = from;
    while (at < limit) at = this.#step(bytes, at, limit, starts);
    return { starts, decided: at };
  }

  finish(): DumpKind {
    if (this.#kind === undefined)
      throw failed("expected a dump, found nothing", { hint: howEnded });
    if (!this.#isComplete)
      throw failed(
        'expected a dump that ends with the line "-- Dump completed", found another end: the dump was cut off',
        { hint: howEnded },
      );
    return this.#kind;
  }

  /** Goes on to the next thing that matters, at most to the limit; returns where it is then. */
  #step(bytes: Buffer, at: number, limit: number, starts: SectionStart[]): number {
    if (this.#inside !== undefined) {
      const isRows = this.#inside === "rows";
      const found = isRows
        ? bytes.indexOf(dataMayEnd, at + before) - before
        : bytes.indexOf(bodyEnds, at);
      if (found < at || found >= limit) return limit;
      const mark = isRows ? dataEnds : bodyEnds;
      if (isRows && isAt(bytes, dataBegins, found + before - beforeBegins)) throw severalDumps();
      if (!isAt(bytes, mark, found)) return found + 1;
      this.#inside = undefined;
      // The end of the line stays, for what is looked for next begins with it.
      const behind = found + mark.length - 1;
      return isRows ? this.#endRows(bytes, behind, starts) : behind;
    }
    const next = bytes.indexOf(heading, at);
    const title = next < 0 || next >= limit ? limit : next;
    const region = bytes.subarray(0, Math.min(title + lookahead, bytes.length));
    const body = region.indexOf(bodyBegins, at);
    const tail = this.#section.kind === "tail" ? -1 : firstOf(region, at);
    const unheaded = mayEndUnheaded(this.#section) ? unheadedIn(region, at) : undefined;
    const other = unheaded === undefined || (tail >= 0 && tail < unheaded.at) ? tail : unheaded.at;
    if (body >= 0 && body < title && (other < 0 || body < other)) {
      this.#inside = "body";
      return body + bodyBegins.length - 1;
    }
    if (other >= 0 && other < title) {
      this.#begin(
        other + 1,
        other === tail ? { kind: "tail" } : (unheaded?.section ?? { kind: "" }),
        starts,
      );
      return other + 1;
    }
    return title === limit ? limit : this.#takeTitle(bytes, title, starts);
  }

  #takeTitle(bytes: Buffer, at: number, starts: SectionStart[]): number {
    const behind = at + heading.length;
    const text = bytes.toString("utf8", behind, Math.min(behind + lookahead, bytes.length));
    if (origin.test(text)) {
      if (this.#hasOrigin) throw severalDumps();
      this.#hasOrigin = true;
    }
    const section = sectionOfTitle(text, this.#database);
    if (section !== undefined) {
      if (section.kind === "database") this.#database = section.database;
      this.#begin(at + 1, section, starts);
      if (
        section.kind === "data" &&
        /^(?!INSERT|REPLACE)[^]*?\nLOCK TABLES [^\n]*/.test(rowless(text))
      ) {
        this.#inside = "rows";
        return bytes.indexOf(dataBegins, behind) + dataBegins.length;
      }
    }
    return behind - 1;
  }

  /** Behind the rows of a table: a section of their own for its triggers, if it has any. */
  #endRows(bytes: Buffer, at: number, starts: SectionStart[]): number {
    const text = bytes.toString("latin1", at + 1, Math.min(at + 1 + lookahead / 2, bytes.length));
    const closed = closing.exec(text)?.[0].length ?? 0;
    const rest = text.slice(closed);
    if (!nothingMore.test(rest)) {
      const blank = rest.length - rest.trimStart().length;
      const next = unheadedIn(bytes.subarray(0, at + 1 + lookahead / 2), at + closed);
      const isNext = next?.at === at + closed + blank;
      const section = isNext ? next.section : { ...this.#section, kind: "triggers" };
      this.#begin(at + 1 + closed, section, starts);
    }
    return at + closed;
  }

  #begin(at: number, section: Section, starts: SectionStart[]): void {
    this.#section = section;
    starts.push({ at, section });
  }

  #recognise(head: Buffer): void {
    const text = head.toString("utf8", 0, head.length);
    const [, name, version = ""] = /^-- (MySQL|MariaDB) dump ([^\n]*)/m.exec(text) ?? [];
    if (name === undefined) throw unknownDump(head);
    this.#database = /^-- Host: .*? {4}Database: (.*)$/m.exec(text)?.[1] || undefined;
    this.#kind = {
      program: /mariadb/i.test(name + version) ? "mariadb-dump" : "mysqldump",
      version: /(?:Distrib |^[\d.]+-)([^\s,]+)/.exec(version)?.[1],
    };
  }
}

/** What a dump says of itself below its first line. */
const origin = /^Host: [^\n]* {4}Database: [^\n]*\n-- -{20}/;

/** Among rows without locks it would take long to look, and behind others like it there is no need. */
function mayEndUnheaded({ kind }: Section): boolean {
  return !["data", "position", "system", "tail"].includes(kind);
}

function severalDumps(): Failure {
  return usage("expected one dump, found another one behind it", {
    hint: "give each a directory of its own, or dump several databases together: --databases of the dump program, or several names behind --dump; and look whether one of them was cut off",
  });
}

function isAt(bytes: Buffer, mark: Buffer, at: number): boolean {
  const end = at + mark.length;
  return end <= bytes.length && bytes.compare(mark, 0, mark.length, at, end) === 0;
}

const howEnded = "look for what stopped the dump program, and run it again";

function isComplete(end: string): boolean {
  return /\n-- Dump completed(?: on [^\n]*)?\r?\n\s*$/.test(end);
}

/** What stands before the first row. */
function rowless(text: string): string {
  return text.split(/^(?:INSERT|REPLACE) /m, 1)[0] ?? "";
}

function firstOf(bytes: Buffer, from: number): number {
  const found = tails.map((mark) => bytes.indexOf(mark, from)).filter((at) => at >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** What the beginning of a file tells of it, where it is no dump. */
function unknownDump(head: Buffer): Failure {
  const begins = (...bytes: readonly number[]): boolean =>
    head.subarray(0, bytes.length).equals(Buffer.from(bytes));
  const text = head.toString("latin1", 0, head.length).trimStart();
  const [found, hint] = begins(0x1f, 0x8b)
    ? ["gzip", "unpack it on the way: gzip -dc FILE | mysql-split --to DIR"]
    : begins(0x28, 0xb5, 0x2f, 0xfd)
      ? ["zstd", "unpack it on the way: zstd -dc FILE | mysql-split --to DIR"]
      : text.startsWith("<?xml")
        ? ["XML", "leave --xml away"]
        : /^(?:--\n-- PostgreSQL|PGDMP)/.test(text)
          ? ["a dump of PostgreSQL", "pg-split takes that"]
          : [
              "another text",
              "--compact and --skip-comments leave away the lines that tell whether a dump is whole, and --tab writes no dump: dump without them",
            ];
  return usage(
    `expected a dump of mysqldump or mariadb-dump, which begins with a line that says so, found ${found}`,
    { hint },
  );
}
