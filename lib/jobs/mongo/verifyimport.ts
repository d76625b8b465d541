import { idOf } from "../../documents/bson.ts";
import { hashContent } from "../../documents/content.ts";
import { writeKeyOfDocument } from "../../documents/key.ts";
import { holdsAll, nameOf } from "../../documents/metadata.ts";
import { documentPath } from "../../documents/place.ts";
import { collectionsOf, findRaw, indexesOf, pagesOf, rawBytes } from "../../documents/server.ts";
import type { Target } from "./target.ts";
import type { Existing } from "./existing.ts";
import type { MongoWorld } from "./world.ts";

/** So many documents come with one answer, if they are small: with 1,000, asking again and again takes a third of the time. */
const readAtOnce = 10_000;

/** Reads a collection back, and tells what is not as the export holds it. Throws what the driver throws. */
export async function verifyImport(
  { stored, server, database }: Target,
  { table }: Existing,
  world: MongoWorld,
): Promise<readonly string[]> {
  const { metadata } = stored;
  const problems: string[] = [];
  const listed = (await collectionsOf(server, database)).find(
    ({ name }) => name === metadata.collection,
  );
  if (listed === undefined) return ["expected it on the server, found nothing"];
  if (!holdsAll(metadata.options, listed.options))
    problems.push("its options came out otherwise than the export holds them");
  if (metadata.kind === "view") return problems;
  const db = server.client.db(database);
  const key = new Uint32Array(4);
  const content = new Uint32Array(4);
  const cursor = findRaw(db, metadata.collection, {}, { batchSize: readAtOnce });
  for await (const page of pagesOf(cursor, world.signal)) {
    for (const document of page) {
      const bytes = rawBytes(document);
      if (!writeKeyOfDocument(bytes, key)) continue;
      hashContent(bytes, content);
      const place = table.find(key);
      if (place < 0) problems.push(`${pathOf(bytes)}: on the server, and not in the export`);
      else {
        if (!table.hasContent(place, content))
          problems.push(`${pathOf(bytes)}: came out otherwise than the export holds it`);
        table.markSeen(place);
      }
    }
  }
  const missing = [...table.unseen()].length;
  if (missing > 0) problems.push(`${missing} documents are not on the server`);
  return problems;
}

function pathOf(bytes: Uint8Array): string {
  const id = idOf(bytes);
  return id === undefined ? "a document" : documentPath(id);
}

/** Tells which indexes are not as the export holds them, besides those that were refused. Throws what the driver throws. */
export async function verifyIndexes(
  { stored: { metadata }, server, database }: Target,
  refused: ReadonlySet<string>,
): Promise<readonly string[]> {
  const db = server.client.db(database);
  const problems: string[] = [];
  const found = new Map(
    (await indexesOf(db, metadata.collection)).map((index) => [nameOf(index), index]),
  );
  for (const index of metadata.indexes) {
    const name = nameOf(index);
    if (refused.has(name)) continue;
    const made = found.get(name);
    if (made === undefined || !holdsAll(index, made))
      problems.push(`the index ${name} is not as the export holds it`);
  }
  return problems;
}
