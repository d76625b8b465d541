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
  if (/^(?:GTID state|Position to start) /.test(text)) return { kind: "position" };
  return text.startsWith("Flush Grant Tables") ? { kind: "grants", database } : undefined;
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
