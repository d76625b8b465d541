import type { Section } from "./scanner.ts";

/**
 * The section that a heading of mysqldump or mariadb-dump begins; undefined for a heading that begins
 * none. `text` starts behind the heading's dashes; `database` is the one that the dump is in.
 */
export function sectionOfTitle(text: string, database: string | undefined): Section | undefined {
  for (const [kind, title] of ofTables)
    if (text.startsWith(title)) return { kind, database, table: quotedName(text, title.length) };
  if (text.startsWith(databaseTitle))
    return { kind: "database", database: quotedName(text, databaseTitle.length) };
  const [, kind, name] = /^Dumping (events|routines) for database '([^\n]*)'/.exec(text) ?? [];
  if (kind !== undefined) return { kind, database: name };
  if (ofPosition.test(text)) return { kind: "position" };
  return text.startsWith("Flush Grant Tables") ? { kind: "grants", database } : undefined;
}

/** Of MariaDB and MySQL, for a dump that a replica is to be made from. */
const ofPosition =
  /^(?:GTID state|Position to start|Alternately, following is the position|The following is the SQL position|(?:stop|start) (?:slave|replica) statement) /;

/** Lines that begin, without a heading, what belongs to no table: where a replica goes on, and accounts. */
const unheaded = [
  { kind: "position", line: "-- The deferred gtid setting for " },
  { kind: "position", line: "CHANGE MASTER " },
  { kind: "system", line: "CREATE USER " },
  { kind: "system", line: "CREATE OR REPLACE USER " },
  { kind: "system", line: "/*!50701 DROP USER " },
  { kind: "system", line: "INSTALL PLUGIN " },
  { kind: "system", line: "/*M!100401 UNINSTALL PLUGIN " },
  { kind: "system", line: "DELIMITER |\n" },
].map((each) => ({ ...each, mark: Buffer.from(`\n${each.line}`) }));

/** The section of the first such line that begins behind `from`, and where the end of the line before it is. */
export function unheadedIn(
  bytes: Buffer,
  from: number,
): { readonly at: number; readonly section: Section } | undefined {
  let [at, kind] = [-1, ""];
  for (const each of unheaded) {
    const found = bytes.indexOf(each.mark, from);
    if (found >= 0 && (at < 0 || found < at)) [at, kind] = [found, each.kind];
  }
  return at < 0 ? undefined : { at, section: { kind } };
}

const databaseTitle = "Current Database: ";

const ofTables = [
  ["structure", "Table structure for table "],
  ["data", "Dumping data for table "],
  ["placeholder", "Temporary table structure for view "],
  ["placeholder", "Temporary view structure for view "],
  ["view", "Final view structure for view "],
  ["sequence", "Sequence structure for "],
] as const;

/** A name as the dump programs write it in a comment: each of its lines begins with dashes. */
function quotedName(text: string, from: number): string {
  const quote = text[from] ?? "";
  const [line = ""] = text.slice(from).split("\n", 1);
  if (quote !== "`" && quote !== '"') return line.trimEnd();
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] !== quote) continue;
    if (text[at + 1] === quote) {
      at += 1;
      continue;
    }
    return text
      .slice(from + 1, at)
      .replaceAll(quote + quote, quote)
      .replaceAll("\n-- ", "\n");
  }
  return line.trimEnd();
}
