import { failed, usage, type Failure } from "../errors.ts";

const unpack = (program: string): string =>
  `unpack it on the way: ${program} -dc FILE | pg-split --to DIR`;
const fromArchive = "pg_restore makes it plain: pg_restore -f - FILE | pg-split --to DIR";
const byItself = "let pg_dump write the file itself: pg_dump -f FILE";

/** How what is no plain dump begins, as Latin-1, what it is called, and what to do. */
const others: readonly (readonly [string, string, string])[] = [
  ["PGDMP", "one in custom format", fromArchive],
  ["toc.dat\0", "one in tar format", fromArchive],
  ["\u001F\u008B", "gzip", unpack("gzip")],
  ["(\u00B5/\u00FD", "zstd", unpack("zstd")],
  ['\u0004"M\u0018', "lz4", unpack("lz4")],
  ["\u00FD7zXZ", "xz", unpack("xz")],
  ["BZh", "bzip2", unpack("bzip2")],
  ["\u00FF\u00FE", "UTF-16", byItself],
  ["--\r\n", "lines that end with a carriage return", byItself],
];

/** Says that something is no dump of pg_dump in plain format, by how it begins. */
export function unknownDump(head: Buffer): Failure {
  const expected = "expected a dump of PostgreSQL in plain format, found";
  if (head.length === 0)
    return failed(`${expected} nothing`, { hint: "look for what stopped the dump program" });
  const text = head.toString("latin1", 0, 512);
  if (/^(?:\/\*.*\*\/)?\s*-- (?:MySQL|MariaDB) dump/.test(text))
    return usage(`${expected} one of MySQL or MariaDB`, { hint: "mysql-split takes that" });
  const [, found, hint] = others.find(([magic]) => text.startsWith(magic)) ?? [
    "",
    "another text",
    "what pg_dump and pg_dumpall write is taken, from its first line on",
  ];
  return usage(`${expected} ${found}`, { hint });
}
