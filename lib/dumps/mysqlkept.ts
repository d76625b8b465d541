import type { Section } from "./scanner.ts";

/** A section, or a part of one. */
export interface SizedSection {
  readonly section: Section;
  readonly bytes: number;
}

/** What a user without the right to it gets a dump without, though that dump is whole. */
export interface Lost {
  readonly kind: "routines" | "events" | "views" | "triggers";
  readonly database: string;
}

/** The least that a routine or an event takes, and more than blank lines behind the heading do. */
const leastBody = 32;

/**
 * What an earlier dump of MySQL or MariaDB has of a database, and a later one of the same database has none
 * of: all routines, all events, all views, or all triggers of the tables that both have.
 */
export function lostOf(before: readonly SizedSection[], now: readonly SizedSection[]): Lost[] {
  const [old, fresh] = [contentOf(before), contentOf(now)];
  return [...old].flatMap(([database, had]): Lost[] => {
    const has = fresh.get(database);
    if (has === undefined) return [];
    const lost: Lost["kind"][] = [];
    if (had.routines > 0 && has.routines === 0) lost.push("routines");
    if (had.events > 0 && has.events === 0) lost.push("events");
    if (had.views > 0 && has.views === 0) lost.push("views");
    const tables = [...had.withTriggers].filter((table) => has.tables.has(table));
    if (tables.length > 0 && has.withTriggers.size === 0) lost.push("triggers");
    return lost.map((kind) => ({ kind, database }));
  });
}

interface Content {
  routines: number;
  events: number;
  views: number;
  readonly tables: Set<string>;
  readonly withTriggers: Set<string>;
}

function contentOf(sections: readonly SizedSection[]): Map<string, Content> {
  const databases = new Map<string, Content>();
  for (const { section, bytes } of sections) {
    const { kind, database, table = "" } = section;
    if (database === undefined) continue;
    const content = databases.get(database) ?? {
      ...{ routines: 0, events: 0, views: 0 },
      ...{ tables: new Set(), withTriggers: new Set() },
    };
    databases.set(database, content);
    if (kind === "routines" || kind === "events") {
      // The heading is there without any, too.
      const heading = `--\n-- Dumping ${kind} for database '${database}'\n--\n`;
      if (bytes >= Buffer.byteLength(heading) + leastBody) content[kind] += 1;
    } else if (kind === "view") content.views += 1;
    else if (kind === "structure") content.tables.add(table);
    else if (kind === "triggers") content.withTriggers.add(table);
  }
  return databases;
}
