import { DocumentFiles } from "../../documents/files.ts";
import { heldCollections, isCollection, type HeldCollection } from "../../documents/held.ts";
import { idOfName } from "../../documents/nameid.ts";
import { directoryName } from "../../documents/names.ts";
import { placeOf } from "../../documents/place.ts";
import { findRaw, serverFailure } from "../../documents/server.ts";
import { rememberedUuid } from "../../documents/statefile.ts";
import { refused } from "../../errors.ts";
import { askable } from "./gone.ts";
import { originOf, readOrigins } from "./origins.ts";
import type { PlannedCollection, PlannedDatabase } from "./planned.ts";
import type { MongoWorld } from "./world.ts";

/** So many documents that are held are looked for on a server that tells no UUIDs. */
const sampled = 100;

/**
 * Makes sure that a database which was exported from other hosts before is the same one still: a wrong connection
 * string would replace all that is held of it. It is, where one collection is. Throws refused(), and what asking the server throws.
 */
export async function expectSameDatabases(
  databases: readonly PlannedDatabase[],
  root: string,
  world: MongoWorld,
): Promise<void> {
  const origins = await readOrigins(root);
  for (const database of databases) {
    const directory = directoryName(database.name);
    const [before, now] = [origins[directory], originOf(database.server.uri)];
    if (before === undefined || before === now) continue;
    const held = heldCollections(root, directory).filter(
      (each) => isCollection(root, each) && filesOf(root, each).shards().length > 0,
    );
    if (held.length === 0) continue;
    if (!(await hasCommon(database, held, root)))
      throw refused(
        `expected the database ${database.name} of ${before}, which ${root}/${directory} holds, found one of ${now} that has none of its collections; nothing was changed`,
        {
          hint: "export each server into a directory of its own; --replace puts this one in the place of that",
        },
      );
    world.events.detail(1, `${database.name} was exported from ${before} before: it is the same`);
  }
}

async function hasCommon(
  { collections }: PlannedDatabase,
  held: readonly HeldCollection[],
  root: string,
): Promise<boolean> {
  const uuids = new Set(collections.flatMap(({ listed }) => listed.uuid ?? []));
  for (const each of held) {
    const uuid = await rememberedUuid(placeOf(root, each.database, each.collection).state);
    if (uuid !== undefined && uuids.size > 0) {
      if (uuids.has(uuid)) return true;
      continue;
    }
    const named = collections.find(({ listed }) => directoryName(listed.name) === each.collection);
    if (named !== undefined && (await hasOneOf(named, idsOf(filesOf(root, each))))) return true;
  }
  return false;
}

/** Whether a collection has a document with one of these ids. */
async function hasOneOf(
  { server, database, listed }: PlannedCollection,
  ids: readonly unknown[],
): Promise<boolean> {
  if (ids.length === 0) return false;
  const options = { projection: { _id: 1 }, limit: 1 };
  const cursor = findRaw(server.client.db(database), listed.name, { _id: { $in: ids } }, options);
  try {
    return await cursor.hasNext();
  } catch (error) {
    throw serverFailure(error, server.uri, `cannot read ${database}.${listed.name}`);
  } finally {
    await cursor.close().catch(() => {});
  }
}

/** The ids of some documents, from all over the directories, as the driver takes them. */
function idsOf(files: DocumentFiles): readonly unknown[] {
  const shards = files.shards();
  const step = Math.ceil(shards.length / sampled);
  return shards
    .filter((_, at) => at % step === 0)
    .flatMap((shard) => {
      const [name] = files.names(shard);
      if (name === undefined) return [];
      const id = idOfName(name) ?? files.read(`${shard}/${name}`)?.id;
      const asked = id === undefined ? undefined : askable(id);
      return asked === undefined ? [] : [asked["_id"]];
    });
}

function filesOf(root: string, { database, collection }: HeldCollection): DocumentFiles {
  return new DocumentFiles(placeOf(root, database, collection).directory);
}
