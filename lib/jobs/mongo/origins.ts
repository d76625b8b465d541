import * as v from "valibot";
import { originsFile } from "../../documents/place.ts";
import type { MongoUri } from "../../documents/uri.ts";
import { readJson, writeJson } from "../../state/jsonfile.ts";

const schema = v.object({ version: v.literal(1), databases: v.record(v.string(), v.string()) });

/** Directories of databases, and the hosts that each was exported from. */
type Origins = Readonly<Record<string, string>>;

/** Where a database is exported from: the hosts, and never a password. */
export function originOf({ label }: MongoUri): string {
  return label.split(",").toSorted().join(",");
}

/** Reads where the databases came from; nothing where that is lost, so that none is taken for ours. */
export async function readOrigins(root: string): Promise<Origins> {
  const { value } = await readJson(originsFile(root), schema, { setAside: false });
  return value?.databases ?? {};
}

/** Writes it down where it is not what it was. Throws failed(). */
export async function writeOrigins(root: string, before: Origins, after: Origins): Promise<void> {
  const sorted = (origins: Origins): string =>
    JSON.stringify(Object.entries(origins).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  if (sorted(before) === sorted(after)) return;
  await writeJson(originsFile(root), { version: 1, databases: after });
}
