import type { Listed } from "../../documents/metadata.ts";
import { matchesName } from "../../documents/rules.ts";

/** What becomes of what a server lists in a database. */
export interface DatabasePlan {
  readonly exported: readonly Listed[];
  /** What can't be exported rightly, and why. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** What the user left out. */
  readonly excluded: readonly string[];
}

/** Decides what of a database is exported. */
export function planDatabase(
  database: string,
  listed: readonly Listed[],
  excludes: readonly string[],
): DatabasePlan {
  const exported: Listed[] = [];
  const refused: { name: string; reason: string }[] = [];
  const excluded: string[] = [];
  for (const entry of listed.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = entry;
    if (isServersOwn(name)) continue;
    if (excludes.some((pattern) => matchesName(pattern, database, name))) {
      excluded.push(name);
      continue;
    }
    const reason = whyNot(entry);
    if (reason === undefined) exported.push(entry);
    else refused.push({ name, reason });
  }
  return { exported, refused, excluded };
}

/** system.js is the user's; of the others, the server makes what is in them of something else. */
function isServersOwn(name: string): boolean {
  return name.startsWith("system.") && name !== "system.js";
}

function whyNot({ type }: Listed): string | undefined {
  if (type === "timeseries")
    return "a time series collection: its documents need no id of their own, by which files could be named";
  if (type !== "collection" && type !== "view") return `a collection of the unknown kind ${type}`;
  return undefined;
}
