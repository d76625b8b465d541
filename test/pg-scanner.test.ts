import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { choosePgTables } from "../lib/dumps/pgchoose.ts";
import { PgScanner } from "../lib/dumps/pgscanner.ts";
import type { DumpKind, Section } from "../lib/dumps/scanner.ts";

/* Where the parts of a dump of PostgreSQL begin, however its bytes come, and whether it is whole. */

/** A part of a dump as pg_dump writes it, and the section that begins with it. */
interface Part {
  readonly text: string;
  /** Undefined: the section before it goes on. */
  readonly section?: string;
}

interface Found {
  readonly starts: readonly { readonly at: number; readonly section: string }[];
  readonly kind: DumpKind;
}

/** Shows a dump piece by piece, in windows that move, with bytes behind their end that don't count. */
function scanned(dump: Buffer, pieces: readonly number[] = []): Found {
  const scanner = new PgScanner();
  const starts: { at: number; section: string }[] = [];
  let decided = 0;
  let end = 0;
  for (let turn = 0; end < dump.length || turn === 0; turn += 1) {
    end = Math.min(dump.length, end + (pieces[turn % pieces.length] ?? dump.length));
    const keep = Math.min(decided, turn % 3);
    const base = decided - keep;
    const window = Buffer.concat([dump.subarray(base, end), Buffer.from("\n--\n-- Name: x")]);
    const seen = scanner.scan(window, keep, end - base, end === dump.length);
    assert.ok(seen.decided >= keep && seen.decided <= end - base);
    for (const { at, section } of seen.starts) {
      assert.ok(at >= keep && at < seen.decided);
      starts.push({ at: base + at, section: described(section) });
    }
    decided = base + seen.decided;
    assert.ok(end - decided <= 64 * 1024);
  }
  assert.equal(decided, dump.length);
  return { starts, kind: scanner.finish() };
}

function described({ kind, database, table, needs }: Section): string {
  const more = needs === undefined ? [] : ["with", needs];
  return [database, table, kind, ...more].filter((word) => word !== undefined).join(" ");
}

function startsOf(parts: readonly Part[]): Found["starts"] {
  const starts: { at: number; section: string }[] = [];
  let at = 0;
  for (const { text, section } of parts) {
    if (section !== undefined) starts.push({ at, section });
    at += Buffer.byteLength(text);
  }
  return starts;
}

function checkParts(parts: readonly Part[], pieces?: readonly number[]): void {
  const dump = Buffer.from(parts.map(({ text }) => text).join(""));
  assert.deepEqual(scanned(dump, pieces).starts, startsOf(parts));
}

const head: Part = {
  section: "head",
  text: String.raw`--
-- PostgreSQL database dump
--

\restrict KeyOfThisDump

-- Dumped from database version 18.1 (Debian 18.1-1)
-- Dumped by pg_dump version 18.0 (Debian 18.0-1)

SET statement_timeout = 0;
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

`,
};

const tail: Part = {
  section: "tail",
  text: "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict KeyOfThisDump\n\n",
};

const settings: Part = {
  section: "settings",
  text: "SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n",
};

/** Texts that look like what they are not. */
const deceptive = [
  "--\n-- Name: fake; Type: TABLE; Schema: public; Owner: me\n--\n\n",
  "\n\n--\n-- PostgreSQL database dump complete\n--\n\n",
  "\n\\unrestrict x\n",
  "COPY public.fake (a) FROM stdin;\n",
  "\n\\.\n",
  "\\.",
  "SET default_tablespace = '';\n",
  "-- it's\n",
  'say "',
  "$1 $_$ $$ $",
  "/*",
  String.raw`\'`,
];

const entry = (name: string, type: string, schema = "public", before = ""): string =>
  `--\n-- ${before}Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: me\n--\n\n`;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** As COPY writes a value. */
const copied = (text: string): string =>
  text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", String.raw`\n`)
    .replaceAll("\t", String.raw`\t`);

const text = fc
  .array(fc.oneof(fc.constantFrom(...deceptive), fc.string({ unit: "binary", maxLength: 8 })), {
    maxLength: 6,
  })
  .map((words) => words.join("").replaceAll(/[\r\0]/g, ""));
const name = fc
  .oneof(
    fc.stringMatching(/^[a-z_]{1,10}$/),
    fc.string({
      unit: fc.constantFrom(...Array.from("a.$'\"\\-; 😀é")),
      minLength: 1,
      maxLength: 9,
    }),
  )
  .map((word) => `t${word}t`);
/** So many times, to be longer than what is looked at ahead. */
const times = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 }));

const part: fc.Arbitrary<Part> = fc.oneof(
  fc.tuple(name, text).map(([table, value]) => ({
    section: `public.${table} table`,
    text: `${entry(table, "TABLE")}CREATE TABLE public.${quoted(table)} (\n    a text DEFAULT ${literal(value)}\n);\n\n\n`,
  })),
  fc.tuple(name, name, text, times).map(([table, column, value, rows]) => ({
    section: `public.${table} data`,
    text: `${entry(table, "TABLE DATA", "public", "Data for ")}COPY public.${quoted(table)} (id, ${quoted(column)}) FROM stdin;\n${`--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n1\t${copied(value)}\n`.repeat(rows)}\\.\n\n\n`,
  })),
  name.map((table) => ({
    section: `public.${table} data`,
    text: `${entry(table, "TABLE DATA", "public", "Data for ")}COPY public.${quoted(table)} FROM stdin;\n\\.\n\n\n`,
  })),
  fc.tuple(name, text, times).map(([table, value, rows]) => ({
    section: `public.${table} data`,
    text: `${entry(table, "TABLE DATA", "public", "Data for ")}${`INSERT INTO public.${quoted(table)} VALUES (-1, ${literal(value)});\n`.repeat(rows)}\n\n`,
  })),
  fc.tuple(name, fc.nat()).map(([sequence, value]) => ({
    section: `public.${sequence} sequence-set`,
    text: `${entry(sequence, "SEQUENCE SET")}SELECT pg_catalog.setval(${literal(`public.${quoted(sequence)}`)}, ${value}, true);\n\n\n`,
  })),
  fc.tuple(fc.constantFrom("$$", "$_$", "$_$_$", "$é1$"), text).map(([tag, body]) => ({
    section: "public.v view",
    text: `${entry("v", "VIEW")}CREATE FUNCTION public.f(integer) RETURNS void\n    LANGUAGE plpgsql\n    AS ${tag}${body.replaceAll("$", "").replace(/^$/, "x")}${tag};\n\n\nSELECT a$1$, $1$$x FROM t$$;\n\n${entry("FUNCTION f(integer)", "COMMENT")}COMMENT ON FUNCTION public.f(integer) IS ${literal(body)};\n\n\n`,
  })),
  fc.constant({
    section: "blobs",
    text: `${entry("BLOBS", "BLOBS", "-", "Data for ")}SELECT pg_catalog.lowrite(0, '\\x${"2d2d0a".repeat(9000)}');\n\n`,
  }),
);

/** Of two that go on with each other only the first begins a section. */
const isSeparate = (parts: readonly Part[]): boolean =>
  parts.every((each, at) => each.section !== "blobs" || parts[at + 1]?.section !== "blobs");

test("the same sections begin at the same bytes, whatever the parts and the pieces", () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }).filter(isSeparate),
      fc.array(fc.integer({ min: 1000, max: 60_000 }), { minLength: 1, maxLength: 5 }),
      (parts, pieces) => checkParts([head, settings, ...parts, tail], pieces),
    ),
    { numRuns: 150 },
  );
});

test("byte by byte it is the same", () => {
  const parts: readonly Part[] = [
    head,
    {
      section: "schema",
      text: `${entry("app", "SCHEMA", "-")}CREATE SCHEMA app;\n\n\n${entry("f(integer)", "FUNCTION", "app")}CREATE FUNCTION app.f(integer) RETURNS text\n    LANGUAGE sql\n    AS $_$\n--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n$_$;\n\n\n`,
    },
    settings,
    { section: "app.t table", text: `${entry("t", "TABLE", "app")}CREATE TABLE app.t (a text);\n` },
    {
      section: "app.t data",
      text: `${entry("t", "TABLE DATA", "app", "Data for ")}COPY app.t (a) FROM stdin;\n--\n\n\\N\n\\.\n\n\n`,
    },
    {
      section: "app.v view",
      text: `${entry("v", "VIEW", "app")}CREATE VIEW app.v AS SELECT a$1$, x$$y, $2, '-''-', "--", 1 - 2 -- $$\nFROM x$$;\n\n`,
    },
    {
      section: "app.f table",
      text: `${entry("f", "TABLE", "app")}CREATE TABLE app.f (a text DEFAULT $a$\n${entry("x", "TABLE")}$a$);\n\n`,
    },
    // What is not laid out like a heading is none, and what is too long for one neither.
    { text: "--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\nSELECT 1;\n--\n\n" },
    { text: `--\n-- Dependencies: ${"1".repeat(17_000)}\n${entry("x", "TABLE").slice(3)}` },
    {
      section: "app.t constraint",
      text: `${entry("t c", "CONSTRAINT", "app")}${"-- far from the end\n".repeat(1000)}`,
    },
    tail,
  ];
  checkParts(parts, [1]);
  checkParts(parts);
});

test("what belongs to a table is told by its heading, or by the statement behind it", () => {
  const dependencies = Array.from({ length: 500 }, (_, at) => at).join(" ");
  checkParts([
    head,
    { section: "schema", text: entry("app", "SCHEMA", "-") },
    { text: entry("app", "EXTENSION", "-") },
    { text: entry("SCHEMA app", "COMMENT", "-") },
    {
      section: "app.a b table",
      text: `${entry("a b", "TABLE", "app").replace("--\n--", `--\n-- TOC entry 215 (class 1259 OID 16385)\n-- Dependencies: ${dependencies}\n--`).replace("Owner: me", "Owner: me; Tablespace: fast")}CREATE TABLE app."a b" ();\n\n\n`,
    },
    { section: "app.a table", text: entry("a", "TABLE", "app") },
    { section: "app.alone sequence", text: entry("alone", "SEQUENCE", "app") },
    {
      section: "app.a b sequence",
      text: `${entry("s s", "SEQUENCE", "app")}CREATE SEQUENCE x;\n\n`,
    },
    { text: entry("SEQUENCE s s", "COMMENT", "app") },
    {
      text: `${entry("s s", "SEQUENCE OWNED BY", "app")}ALTER SEQUENCE app."s s" OWNED BY app."a b".id;\n\n`,
    },
    {
      section: "app.a sequence",
      text: `${entry("i", "SEQUENCE", "app")}ALTER TABLE app.a ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n);\n\n`,
    },
    { section: "app.a default", text: entry("a id", "DEFAULT", "app") },
    { text: entry("a other", "DEFAULT", "app") },
    { section: "app.a b default", text: entry("a b id", "DEFAULT", "app") },
    { section: "app.a data", text: entry("a", "TABLE DATA", "app", "Data for ") },
    { section: "app.alone sequence-set", text: entry("alone", "SEQUENCE SET", "app") },
    { section: "app.a b sequence-set", text: entry("s s", "SEQUENCE SET", "app") },
    { section: "app.a sequence-set", text: entry("i", "SEQUENCE SET", "app") },
    {
      section: "app.a statistics-data",
      text: entry("a", "STATISTICS DATA", "app", "Statistics for "),
    },
    { section: "app.a b constraint", text: entry("a b key c", "CONSTRAINT", "app") },
    { section: "app.a constraint", text: entry("a key", "CONSTRAINT", "app") },
    { section: "app.a constraint", text: entry("a key 2", "CONSTRAINT", "app") },
    {
      section: "app.a b index",
      text: `${entry("of a", "INDEX", "app")}CREATE INDEX "of a" ON app."a b" USING btree (x);\n\n\n`,
    },
    {
      section: 'o"p.q index',
      text: `${entry("i", "INDEX", "app")}CREATE UNIQUE INDEX i ON ONLY "o""p".q USING btree (x);\n\n\n`,
    },
    // Of partitions: keys, indexes, and what is not known.
    {
      section: "app.a b index-attach with app.a",
      text: `${entry("key c", "INDEX ATTACH", "app")}ALTER INDEX app.key ATTACH PARTITION app."key c";\n\n\n`,
    },
    {
      section: 'app.a b index-attach with o"p.q',
      text: `${entry("of a", "INDEX ATTACH", "app")}ALTER INDEX app.i ATTACH PARTITION app."of a";\n\n\n`,
    },
    {
      section: "app.unknown index-attach",
      text: `${entry("unknown", "INDEX ATTACH", "app")}ALTER INDEX app.other ATTACH PARTITION app.unknown;\n\n\n`,
    },
    { section: "app.a fk-constraint", text: entry("a to b", "FK CONSTRAINT", "app") },
    { section: "app.a b publication-table", text: entry("all a b", "PUBLICATION TABLE", "app") },
    { section: "acl", text: entry("FUNCTION f()", "ACL", "app") },
    { section: "app.a acl", text: entry("TABLE a", "ACL", "app") },
    { text: entry("COLUMN a.x", "ACL", "app") },
    { section: "app.a b acl", text: entry('TABLE "a b"', "ACL", "app") },
    { text: entry('SEQUENCE "s s"', "ACL", "app") },
    {
      section: "tail",
      text: "-- Completed on 2026-01-01 00:00:00 UTC\n\n",
    },
    { text: tail.text },
  ]);
});

test("pg_dumpall and pg_dump --create: each database has its own", () => {
  const table = `${entry("t", "TABLE")}CREATE TABLE public.t ();\n\n\n`;
  const data = `${entry("t", "TABLE DATA", "public", "Data for ")}COPY public.t FROM stdin;\n\\connect other\n\\.\n\n\n`;
  checkParts([
    {
      section: "head",
      text: "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict k\n\nSET default_transaction_read_only = off;\n\n",
    },
    { section: "globals", text: "--\n-- Roles\n--\n\nCREATE ROLE me;\n\n" },
    { text: '--\n-- User Config "me"\n--\n\n' },
    { section: "connect", text: "\\unrestrict k\n\n--\n-- Databases\n--\n\n" },
    {
      section: "template1 connect",
      text: '--\n-- Database "template1" dump\n--\n\n\\connect template1\n\n',
    },
    { ...head, section: "template1 head" },
    { ...tail, section: "template1 tail" },
    { section: 'a "b" connect', text: '--\n-- Database "a "b"" dump\n--\n\n' },
    { ...head, section: 'a "b" head' },
    { section: 'a "b" schema', text: `${entry('a "b"', "DATABASE", "-")}CREATE DATABASE x;\n\n` },
    {
      section: 'a "b" connect',
      text: `\\unrestrict KeyOfThisDump\n\\connect -reuse-previous=on "dbname='a \\"b\\"'"\n\\restrict KeyOfThisDump\n\nSET x = 1;\n\n`,
    },
    { section: 'a "b" schema', text: entry('DATABASE "a ""b"""', "COMMENT", "-") },
    { section: 'a "b" public.t table', text: table },
    { section: 'a "b" public.t data', text: data },
    { ...tail, section: 'a "b" tail' },
    // As old ones have it.
    { section: "c connect", text: "\\connect c\n\n" },
    { ...head, section: "c head" },
    { section: "c public.t table", text: table },
    { ...tail, section: "c tail" },
    { section: "tail", text: "--\n-- PostgreSQL database cluster dump complete\n--\n\n" },
  ]);
});

function sectionsIn(database: string | undefined): Section[] {
  return ["head", "connect", "schema", "settings", "public.t table", "public.b.c data", "tail"].map(
    (words) => {
      const [kind = "", table] = words.split(" ").toReversed();
      return { kind, database, table };
    },
  );
}

function chosen(sections: readonly Section[], ...tables: readonly string[]): string[] {
  return choosePgTables(tables)(sections).map(described);
}

test("of some tables, only what is theirs is chosen, and no command that connects elsewhere", () => {
  const one = sectionsIn(undefined);
  assert.deepEqual(chosen(one, "public.t"), ["head", "settings", "public.t table", "tail"]);
  assert.deepEqual(chosen(one, "public.b.c", "public.t"), [
    ...["head", "settings", "public.t table", "public.b.c data", "tail"],
  ]);
  const [first = { kind: "head" }, ...created] = sectionsIn("d");
  const withCreate = [{ ...first, database: undefined }, ...created];
  for (const table of ["public.t", "d.public.t"])
    assert.deepEqual(chosen(withCreate, table), [
      ...["head", "d settings", "d public.t table", "d tail"],
    ]);
  const several = [...sectionsIn("a"), ...sectionsIn("b")];
  const all = [{ kind: "head" }, ...several, { kind: "tail" }];
  assert.deepEqual(chosen(all, "b.public.t"), [
    ...["b head", "b settings", "b public.t table", "b tail"],
  ]);
  assert.throws(() => chosen(all, "public.t"), /found none that is named public\.t/);
  assert.throws(() => chosen(one, "public.t", "t"), /found none that is named t/);
  assert.throws(() => chosen(all, "a.public.t", "b.public.t"), /found several/);
});

test("an index is attached where the tables of both are chosen", () => {
  const attach: Section = { kind: "index-attach", table: "public.p", needs: "public.t" };
  const sections = [...sectionsIn(undefined), { kind: "table", table: "public.p" }, attach];
  const attached = (...tables: readonly string[]): boolean =>
    choosePgTables(tables)(sections).includes(attach);
  assert.deepEqual(
    [attached("public.p"), attached("public.t"), attached("public.t", "public.p")],
    [false, false, true],
  );
});

const whole = [head, settings, tail].map(({ text: each }) => each).join("");

test("the program and its version are told", () => {
  assert.deepEqual(scanned(Buffer.from(whole)).kind, { program: "pg_dump", version: "18.0" });
});

test("a dump that was cut off anywhere is none", () => {
  const rows = `${entry("t", "TABLE DATA", "public", "Data for ")}COPY public.t (a) FROM stdin;\n--\n-- PostgreSQL database dump complete\n--\n\n\\.\n\n\n`;
  const body = `${entry("f()", "FUNCTION")}CREATE FUNCTION f() AS $$\n--\n-- PostgreSQL database dump complete\n--\n$$;\n\n`;
  const dump = Buffer.from(`${head.text}${body}${rows}${tail.text}`);
  for (let end = 1; end < dump.length; end += 1) {
    const cut = dump.subarray(0, end);
    if (end >= dump.length - 2) scanned(cut);
    else assert.throws(() => scanned(cut), /expected/);
  }
  const cluster = `--\n-- PostgreSQL database cluster dump\n--\n\n${whole}`;
  assert.throws(() => scanned(Buffer.from(cluster)), /of pg_dumpall, .* cut off/);
});

/** As pg_dumpall writes it, of databases. */
function clusterOf(...dumps: readonly string[]): string {
  const title = "PostgreSQL database cluster dump";
  return `--\n-- ${title}\n--\n\n${dumps.join("\\connect a\n\n")}--\n-- ${title} complete\n--\n\n`;
}

test("dumps one after another are refused, but for those of pg_dumpall", () => {
  for (const dumps of [
    whole + whole,
    head.text + whole,
    whole + head.text,
    whole + clusterOf(whole),
    clusterOf(whole) + whole,
    clusterOf() + clusterOf(whole),
  ])
    assert.throws(() => scanned(Buffer.from(dumps)), /expected one dump, found another one/);
  scanned(Buffer.from(clusterOf(whole, whole)));
  // In rows and in bodies, such a line is none.
  const title =
    "--\n-- PostgreSQL database dump complete\n--\n\n--\n-- PostgreSQL database dump\n--\n";
  const rows = `${entry("t", "TABLE DATA", "public")}COPY public.t FROM stdin;\n${title}\\.\n\n`;
  const body = `${entry("f()", "FUNCTION", "public")}CREATE FUNCTION public.f() AS $_$\n${title}$_$;\n\n`;
  scanned(Buffer.from(`${head.text}${rows}${body}${tail.text}`));
});

test("other formats are refused, with what to do", () => {
  const wrong: readonly (readonly [string, RegExp, RegExp?])[] = [
    ["", /found nothing/],
    ["PGDMP\u0001\u000e", /custom format/, /pg_restore -f -/],
    [`toc.dat${"\0".repeat(600)}`, /tar format/, /pg_restore -f -/],
    ["-- MySQL dump 10.13  Distrib 8.0\n", /MySQL/, /mysql-split/],
    [
      "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n",
      /MariaDB/,
      /mysql-split/,
    ],
    ["\u001F\u008B", /gzip/, /gzip -dc/],
    ["\u0028\u00B5\u002F\u00FD", /zstd/, /zstd -dc/],
    ["\u00FF\u00FE-\0-\0", /UTF-16/, /pg_dump -f/],
    ["--\r\n-- PostgreSQL database dump\r\n", /carriage return/, /pg_dump -f/],
    ["SELECT 1;\n", /another text/],
  ];
  for (const [dump, message, hint] of wrong) {
    assert.throws(
      () => scanned(Buffer.from(dump, "latin1")),
      (error) => {
        assert.ok(error instanceof Error && "hint" in error);
        assert.match(error.message, message);
        if (hint !== undefined) assert.match(String(error.hint), hint);
        return true;
      },
    );
  }
});
