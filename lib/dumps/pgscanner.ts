import { failed, usage } from "../errors.ts";
import { unknownDump } from "./pgformats.ts";
import { readHeading } from "./pgheading.ts";
import { lexerLooksAhead, PgLexer } from "./pglexer.ts";
import { PgSections } from "./pgsections.ts";
import type { DumpKind, DumpScanner, Scanned, Section, SectionStart } from "./scanner.ts";

/**
 * What begins at a place depends on so many bytes behind it and no more, however they come. A heading
 * and the statement behind it are shorter, but for lists of dependencies that --verbose writes.
 */
const lookahead = Math.max(16_384, lexerLooksAhead);

const minus = 0x2d;
const backslash = 0x5c;

/** Finds the sections of what pg_dump wrote as plain text, pg_restore to a file, or pg_dumpall. */
export class PgScanner implements DumpScanner {
  readonly #lexer = new PgLexer();
  readonly #sections = new PgSections();
  #program: "pg_dump" | "pg_dumpall" | undefined;
  #version: string | undefined;
  #isComplete = false;
  #hasTitle = false;
  /** Of the session that has not ended: \restrict begins one, and \unrestrict ends it. */
  #session: string | undefined;

  scan(window: Buffer, from: number, end: number, last: boolean): Scanned {
    const bytes = window.subarray(0, end);
    const limit = last ? end : end - lookahead;
    const starts: SectionStart[] = [];
    if (from >= limit) return { starts, decided: from };
    this.#program ??= recognise(bytes.subarray(from, from + lookahead));
    let at = from;
    while (at < limit) {
      if (this.#lexer.isAtLine) {
        const { section, length } = this.#look(bytes, at);
        if (section !== undefined) starts.push({ at, section });
        if (length > 0) {
          at += length;
          this.#lexer.skipLines();
          continue;
        }
      }
      at = this.#lexer.advance(bytes, at, limit);
    }
    return { starts, decided: at };
  }

  finish(): DumpKind {
    if (this.#program === undefined) throw unknownDump(Buffer.alloc(0));
    if (!this.#isComplete || this.#session !== undefined)
      throw failed(
        `expected the line that ends a dump of ${this.#program}, found the end without it: the dump was cut off`,
        { hint: "look for what stopped the dump program, and run it again" },
      );
    return { program: this.#program, version: this.#version };
  }

  /** What begins at this line, and how much of it is no SQL. */
  #look(bytes: Buffer, at: number): { section: Section | undefined; length: number } {
    switch (bytes[at]) {
      case minus: {
        const text = bytes.subarray(at, at + lookahead);
        const read = readHeading(text);
        if (read === undefined) return { section: this.#remark(text), length: 0 };
        const { heading, length } = read;
        if (heading.kind === "title") this.#expectOne(heading.text);
        this.#isComplete = heading.kind === "title" && this.#completes(heading.text);
        const statement = (): string => text.toString("utf8", length, length + 4096);
        return { section: this.#sections.beginAt(heading, statement), length };
      }
      case backslash:
        return { section: this.#command(bytes.subarray(at, at + lookahead)), length: 0 };
      default:
        return { section: this.#statement(bytes.toString("latin1", at, at + 40)), length: 0 };
    }
  }

  /** Throws usage() for the title of another dump; one of pg_dumpall holds several of pg_dump. */
  #expectOne(title: string): void {
    if (title !== database && title !== cluster) return;
    const isOwn = title === (this.#program === "pg_dump" ? database : cluster);
    if (this.#isComplete || (isOwn && this.#hasTitle))
      throw usage("expected one dump, found another one behind it", {
        hint: "give each a directory of its own, or dump all databases together: --all-databases; and look whether one of them was cut off",
      });
    if (isOwn) this.#hasTitle = true;
  }

  #remark(text: Buffer): Section | undefined {
    if (begins(text, 0, "-- Completed on ")) return this.#sections.beginTail();
    if (this.#version === undefined && begins(text, 0, "-- Dumped by "))
      this.#version = /^-- Dumped by pg_dump version (\S+)/.exec(
        text.toString("utf8", 0, 200),
      )?.[1];
    return undefined;
  }

  #statement(text: string): Section | undefined {
    if (/^SET default_(?:table|with)/.test(text)) return this.#sections.begin("settings");
    return /^(?!SET |SELECT pg_catalog\.set_config\()[A-Z]/.test(text)
      ? this.#sections.beginDrops()
      : undefined;
  }

  #command(text: Buffer): Section | undefined {
    const [, command, argument = ""] =
      /^\\(restrict|unrestrict|connect) (.*)/.exec(text.toString("utf8", 0, 512)) ?? [];
    if (command === "connect") return this.#sections.connect(argument);
    if (command === "restrict") this.#session = argument;
    if (command !== "unrestrict") return undefined;
    if (argument === this.#session) this.#session = undefined;
    return this.#sections.endSession();
  }

  #completes(title: string): boolean {
    return title === `${this.#program === "pg_dump" ? database : cluster} complete`;
  }
}

const database = "PostgreSQL database dump";
const cluster = "PostgreSQL database cluster dump";

/** Which program wrote a dump that begins so. Throws a usage failure for what is none. */
function recognise(head: Buffer): "pg_dump" | "pg_dumpall" {
  if (begins(head, 0, `--\n-- ${database}\n--\n`)) return "pg_dump";
  if (begins(head, 0, `--\n-- ${cluster}\n--\n`)) return "pg_dumpall";
  throw unknownDump(head);
}

function begins(bytes: Buffer, at: number, text: string): boolean {
  return bytes.toString("latin1", at, at + text.length) === text;
}
