import {
  countDocuments,
  heldCollections,
  heldDatabases,
  isCollection,
  removeCollection,
  tidyLeftover,
  type HeldCollection,
} from "../../documents/held.ts";
import { directoryName } from "../../documents/names.ts";
import { syncFiles } from "../../documents/sync.ts";
import type { MongoUri } from "../../documents/uri.ts";
import { originOf, readOrigins, writeOrigins } from "./origins.ts";
import type { PlannedDatabase } from "./planned.ts";
import type { MongoWorld } from "./world.ts";

/** A directory of a collection that is gone from the server, or left out. */
export interface Dropped {
  readonly path: string;
  readonly documents: number;
}

export interface DroppedOptions {
  /** The directory of the whole export. */
  readonly root: string;
  readonly dryRun: boolean;
  /** Called before anything is changed. */
  readonly beforeChange: () => void;
}

/**
 * Removes the collections that are no more, of the databases that were listed, and the databases that an
 * earlier export of the same servers held. What could not be exported stays as it was.
 */
export async function removeDropped(
  databases: readonly PlannedDatabase[],
  options: DroppedOptions,
  uris: readonly MongoUri[],
  world: MongoWorld,
): Promise<readonly Dropped[]> {
  const { root, dryRun } = options;
  const listed = new Map(databases.map((each) => [directoryName(each.name), each]));
  const before = await readOrigins(root);
  const after: Record<string, string> = {};
  const dropped: Dropped[] = [];
  for (const [name, { server }] of listed) after[name] = originOf(server.uri);
  const all = uris.some((uri) => uri.database === undefined);
  // The same server had another name then.
  const moved = new Set(
    Object.keys(after).flatMap((name) =>
      before[name] === after[name] ? [] : (before[name] ?? []),
    ),
  );
  for (const database of heldDatabases(root)) {
    const plan = listed.get(database);
    const origin = before[database];
    const wasOurs = uris.some((uri) => uri.database === undefined && origin === originOf(uri));
    if (plan === undefined && !wasOurs) {
      if (origin !== undefined) after[database] = origin;
      if (all && (origin === undefined || moved.has(origin)))
        world.events.warn(
          `${root}/${database}: not on the server, and not known to be of it: left as it is; if the database was dropped, remove the directory`,
        );
      else world.events.detail(1, `${root}/${database} is of another export, and stays as it is`);
      continue;
    }
    const kept = stillThere(plan);
    for (const held of heldCollections(root, database)) {
      const gone = kept.has(held.collection) ? undefined : removeHeld(held, options, world);
      if (gone !== undefined) dropped.push(gone);
    }
  }
  if (!dryRun) {
    if (dropped.length > 0) await syncFiles([root]);
    await writeOrigins(root, before, after);
  }
  return dropped;
}

/** The directories of a database's collections that the server has; none where it has no such database. */
function stillThere(plan: PlannedDatabase | undefined): ReadonlySet<string> {
  if (plan === undefined) return new Set();
  const exported = plan.collections.map((each) => directoryName(each.listed.name));
  const missing = plan.missing.map((each) => directoryName(each.collection));
  return new Set([...exported, ...missing]);
}

/** Removes a collection that is gone; undefined where there is none of the export's to remove. */
function removeHeld(
  held: HeldCollection,
  { root, dryRun, beforeChange }: DroppedOptions,
  { events }: MongoWorld,
): Dropped | undefined {
  const path = `${held.database}/${held.collection}`;
  if (!isCollection(root, held)) {
    // What is empty there is no change of the export.
    if (dryRun || !tidyLeftover(root, held))
      events.warn(`${root}/${path} is none of the export's directories: left as it is`);
    return undefined;
  }
  if (dryRun) return { path, documents: countDocuments(root, held) };
  beforeChange();
  const { documents, left } = removeCollection(root, held);
  if (left) events.warn(`${root}/${path}: what lies in it is not the export's: left as it is`);
  return { path, documents };
}
