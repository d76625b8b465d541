import { usage } from "../errors.ts";
import type { Section } from "./scanner.ts";

/** What every session begins and ends with, where it is not about to go to another database. */
const frame = new Set(["head", "settings", "tail"]);

/**
 * The sections of a dump that make up some of its tables: SCHEMA.TABLE, or DATABASE.SCHEMA.TABLE where the
 * dump tells databases apart. The commands that would connect to the database they came from are not
 * among them. Throws usage() for tables that are not there, or are of several databases.
 */
export function choosePgTables(
  tables: readonly string[],
): (sections: readonly Section[]) => readonly Section[] {
  return (sections) => choose(sections, tables);
}

function choose(sections: readonly Section[], tables: readonly string[]): readonly Section[] {
  const databases = new Set(sections.map(({ database }) => database));
  databases.delete(undefined);
  const wanted = new Set(tables);
  const found = new Set<string>();
  const chosen = new Set<Section>();
  const names = ({ database }: Section, table: string): readonly string[] => [
    ...(database === undefined ? [] : [`${database}.${table}`]),
    ...(databases.size > 1 ? [] : [table]),
  ];
  for (const section of sections) {
    const { table, needs } = section;
    // Whether it is published is not the table's own matter, and the publication may not be there.
    if (table === undefined || section.kind === "publication-table") continue;
    const isWanted = (each: string): boolean => wanted.has(each);
    for (const name of names(section, table).filter(isWanted)) found.add(name);
    if (!names(section, table).some(isWanted)) continue;
    if (needs === undefined || names(section, needs).some(isWanted)) chosen.add(section);
  }
  const missing = tables.find((table) => !found.has(table));
  if (missing !== undefined)
    throw usage(`expected a table of the dump, found none that is named ${missing}`, {
      hint: `tables are named ${databases.size > 1 ? "DATABASE.SCHEMA.TABLE" : "SCHEMA.TABLE"}, without quotes`,
    });
  const of = new Set([...chosen].map(({ database }) => database));
  const [database] = of;
  if (of.size > 1)
    throw usage("expected tables of one database, found several", {
      hint: "join those of each database by itself",
    });
  const isOurs = (section: Section): boolean =>
    frame.has(section.kind) && section.database === database;
  const hasHead = sections.some((section) => section.kind === "head" && isOurs(section));
  return sections.filter(
    (section) =>
      chosen.has(section) ||
      isOurs(section) ||
      // Of pg_dump --create, which tells its database only behind the head.
      (!hasHead && section.kind === "head"),
  );
}
