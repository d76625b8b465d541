import { documentOf, elementsOf, types, type Value } from "../../documents/bson.ts";
import { exactly } from "../../documents/decode.ts";
import type { KeptDocuments } from "../../documents/kept.ts";
import { collectionOf } from "../../documents/server.ts";
import { Failure } from "../../errors.ts";
import type { PlannedCollection } from "./planned.ts";
import { idsAtOnce, readWhere, type Reading } from "./read.ts";
import type { MongoWorld } from "./world.ts";

/** So many bytes of ids are sent at once, of the 16 MiB that a command may have. */
const mostBytes = 4_000_000;

/**
 * Makes sure, after a collection was read, that it was read to its end: a cursor can end without a word, such as when
 * the collection is renamed. Takes the documents that are there and were not seen. Throws a partial failure where the
 * collection is not the one that was listed, and what the driver throws.
 */
export async function confirmGone(
  { server, database, listed }: PlannedCollection,
  reading: Reading,
  kept: KeptDocuments,
  world: MongoWorld,
): Promise<void> {
  // As they are now, and not as they were when the reading began: what is there again must not be removed.
  const now = { ...reading, session: undefined };
  let ids: unknown[] = [];
  let bytes = 0;
  const ask = async (): Promise<void> => {
    if (ids.length > 0) await readWhere(now, { _id: { $in: ids } }, kept, world);
    [ids, bytes] = [[], 0];
  };
  for (const id of kept.unseenIds()) {
    const asked = askable(id);
    if (asked === undefined) continue;
    ids.push(asked["_id"]);
    bytes += id.bytes.length;
    if (ids.length >= idsAtOnce || bytes >= mostBytes) await ask();
  }
  await ask();
  const found = await collectionOf(server, database, listed.name);
  if (found?.type !== listed.type || found.uuid !== listed.uuid)
    throw new Failure(
      "partial",
      `expected the collection that was listed at the beginning, found ${found === undefined ? "none" : "another one"}: it was renamed, dropped or made anew while it was read`,
      { hint: "run mongo-export again" },
    );
}

/** A document that holds the id for a query; undefined where it would be another id, or an operator. */
export function askable(id: Value): Readonly<Record<string, unknown>> | undefined {
  if (
    id.type === types.document &&
    [...elementsOf(id.bytes)].some(({ key }) => key.startsWith("$"))
  )
    return undefined;
  return exactly(documentOf([{ key: "_id", ...id }]));
}
