import {
  countDocuments,
  heldCollections,
  heldDatabases,
  isCollection,
  removeCollection,
  tidyLeftover,
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

/**
 * Removes the collections that are no more, of the databases that were listed, and the databases that an
 * earlier export of the same servers held. What could not be exported stays as it was.
 */
export async function removeDropped(
  databases: readonly PlannedDatabase[],
  {
    root,
    dryRun,
    beforeChange,
  }: { readonly root: string; readonly dryRun: boolean; readonly beforeChange: () => void },
  uris: readonly MongoUri[],
  world: MongoWorld,
): Promise<readonly Dropped[]> {
  const listed = new Map(databases.map((each) => [directoryName(each.name), each]));
  const before = await readOrigins(root);
  const after: Record<string, string> = {};
  const dropped: Dropped[] = [];
  for (const [name, { server }] of listed) after[name] = originOf(server.uri);
  for (const database of heldDatabases(root)) {
    const plan = listed.get(database);
    const wasOurs = uris.some(
      (uri) => uri.database === undefined && before[database] === originOf(uri),
    );
    if (plan === undefined && !wasOurs) {
      const origin = before[database];
      if (origin !== undefined) after[database] = origin;
      world.events.detail(1, `${root}/${database} is of another export, and stays as it is`);
      continue;
    }
    const held = heldCollections(root, database);
    const kept = new Set(
      plan === undefined
        ? []
        : [
            ...plan.collections.map((each) => directoryName(each.listed.name)),
            ...plan.missing.map((each) => directoryName(each.collection)),
          ],
    );
    for (const each of held) {
      if (kept.has(each.collection)) continue;
      const path = `${database}/${each.collection}`;
      if (!isCollection(root, each)) {
        // What is empty there is no change of the export.
        if (!dryRun && tidyLeftover(root, each)) continue;
        world.events.warn(`${root}/${path} is none of the export's directories: left as it is`);
        continue;
      }
      if (!dryRun) beforeChange();
      const { documents, left } = dryRun
        ? { documents: countDocuments(root, each), left: false }
        : removeCollection(root, each);
      dropped.push({ path, documents });
      if (left)
        world.events.warn(`${root}/${path}: what lies in it is not the export's: left as it is`);
    }
  }
  if (!dryRun) {
    if (dropped.length > 0) await syncFiles([root]);
    await writeOrigins(root, before, after);
  }
  return dropped;
}
