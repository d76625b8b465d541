import { readFileSync } from "node:fs";
import path from "node:path";
import type { SetFile } from "../../chunks/manifest.ts";
import type { SetPlace } from "../../chunks/place.ts";
import type { TakenSection } from "../../chunks/replace.ts";
import { sectionsOf, type ChunkSet } from "../../chunks/set.ts";
import { lostOf, type SizedSection } from "../../dumps/mysqlkept.ts";
import type { DumpKind } from "../../dumps/scanner.ts";
import { refused } from "../../errors.ts";

/**
 * Throws refused() where a dump would take the place of a set that is of something else: of the other
 * kind of server, or with neither a table nor a database in common. A set that holds none yet, as of an
 * empty database, is followed by any of its program.
 */
export function expectSameOrigin(
  set: ChunkSet,
  sections: readonly TakenSection[],
  { program }: DumpKind,
): void {
  if (set.files.length === 0) return;
  if (set.program !== undefined && isPostgres(set.program) !== isPostgres(program))
    throw otherOrigin(set, `one of ${set.program}`, `one of ${program}`);
  const labels = new Set(sectionsOf(set.files).flatMap(({ label }) => named(label)));
  if (labels.size === 0 || sections.some(({ label }) => labels.has(label))) return;
  const databases = new Set(set.files.flatMap(({ section }) => section?.database ?? []));
  if (sections.some(({ section: { database = "" } }) => databases.has(database))) return;
  const [first = ""] = labels;
  throw otherOrigin(
    set,
    `one with ${first} and ${labels.size - 1} more parts`,
    "one that has none of its tables or databases",
  );
}

/**
 * Throws refused() where a dump of MySQL or MariaDB lacks all that the set has of a kind which the server hides
 * from a user without the right to it: the dump program leaves it out, and ends with 0.
 */
export function expectNothingHidden(
  { place, files }: ChunkSet,
  sections: readonly TakenSection[],
  { program }: DumpKind,
): void {
  if (isPostgres(program)) return;
  const now = sections.flatMap(({ section, chunks }) =>
    chunks.map(({ bytes }) => ({ section, bytes })),
  );
  if (lostOf(files.flatMap(sized), now).length === 0) return;
  // An earlier version took what stands at the end of a dump, such as a replica's position, for a part of what came last.
  const before = files.filter((file) => !hasBodies(file) || holdsBody(place, file));
  const lost = lostOf(before.flatMap(sized), now);
  if (lost.length === 0) return;
  const what = lost.map(({ kind, database }) => `${kind} of ${database}`).join(", ");
  throw refused(
    `expected a dump with ${what}, as ${place.directory} holds, found none of them; nothing was changed`,
    {
      hint: "a user without the right to see them gets a dump without them: give it the rights of docs/mysql-split.md; if they were dropped, --replace takes the dump",
    },
  );
}

function sized({ section, bytes }: SetFile): readonly SizedSection[] {
  return section === undefined ? [] : [{ section, bytes }];
}

function hasBodies({ section }: SetFile): boolean {
  return ["routines", "events", "triggers"].includes(section?.kind ?? "");
}

/** What can't be read may hold one. */
function holdsBody({ directory }: SetPlace, { name }: SetFile): boolean {
  try {
    return readFileSync(path.join(directory, name)).includes("DELIMITER ;;\n");
  } catch {
    return true;
  }
}

function isPostgres(program: string): boolean {
  return program.startsWith("pg_");
}

/** The labels of what is of a table or a database have a dot, and no others: sectionLabel(). */
function named(label: string): readonly string[] {
  return label.includes(".") ? [label] : [];
}

function otherOrigin({ place }: ChunkSet, there: string, found: string): Error {
  return refused(
    `expected a dump of what ${place.directory} holds, ${there}, found ${found}; nothing was changed`,
    { hint: "give each dump a directory of its own; --replace puts this one in the place of that" },
  );
}
