import { usage } from "../errors.ts";
import type { Section } from "./scanner.ts";

/**
 * Chooses what restores these tables (DATABASE.TABLE): what sets the session up, their own sections, and
 * what ends it. What would create or change to a database is not among it: the tables go where the
 * client says. Throws usage() for a table that is not there, or tables of several databases.
 */
export function chooseMysqlTables(
  tables: readonly string[],
): (sections: readonly Section[]) => readonly Section[] {
  return (sections) => {
    const databases = new Set<string | undefined>();
    const wanted = new Set<Section>();
    for (const table of tables) {
      const found = sections.filter((section) => isNamed(section, table));
      const [first] = found;
      if (first === undefined)
        throw usage(`expected a table of the dump, found ${table}`, {
          hint: "write DATABASE.TABLE as they are called in the dump",
        });
      databases.add(first.database);
      for (const section of found) wanted.add(section);
    }
    if (databases.size > 1)
      throw usage("expected tables of one database, found several", {
        hint: "restore one database after another: the client names where the tables go",
      });
    return sections.filter(
      (section) => wanted.has(section) || section.kind === "head" || section.kind === "tail",
    );
  };
}

function isNamed({ database, table }: Section, name: string): boolean {
  return table !== undefined && name === (database === undefined ? table : `${database}.${table}`);
}
