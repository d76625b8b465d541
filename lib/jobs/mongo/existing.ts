import { refused } from "../../errors.ts";
import { idOf } from "../../documents/bson.ts";
import { hashContent } from "../../documents/content.ts";
import { writeKey } from "../../documents/key.ts";
import { extraKey, holdsAll, nameOf } from "../../documents/metadata.ts";
import { documentPath } from "../../documents/place.ts";
import { aboutHowMany } from "../../documents/reading.ts";
import { findRaw, indexesOf, pagesOf, rawBytes, serverFailure } from "../../documents/server.ts";
import { newSecret } from "../../documents/statefile.ts";
import { DocumentTable } from "../../documents/table.ts";
import type { Target } from "./target.ts";
import type { MongoWorld } from "./world.ts";

/** What of a collection is on the server already, and is as it should be. */
export interface Existing {
  readonly table: DocumentTable;
}

const expiring = "expireAfterSeconds";
const removing: ReadonlySet<string> = new Set([expiring]);
/** A document without elements. */
const none = Uint8Array.of(5, 0, 0, 0, 0);

/** Options that change what a collection takes or keeps. */
const telling = new Set([
  ...["capped", "size", "max", "validator", "collation", "clusteredIndex"],
  ...["expireAfterSeconds", "timeseries", "viewOn", "pipeline"],
]);
/** The same of indexes. */
const tellingOfIndex = new Set([
  ...["unique", "sparse", "partialFilterExpression", "collation", "hidden"],
  expiring,
]);

/** An index that is not as the export holds it, or by which the server would remove what is imported. */
function otherIndex(
  wanted: readonly Uint8Array[],
  found: readonly Uint8Array[],
): string | undefined {
  const known = new Map(wanted.map((index) => [nameOf(index), index]));
  for (const index of found) {
    const own = known.get(nameOf(index));
    const extra = extraKey(own ?? none, index, own === undefined ? removing : tellingOfIndex);
    if (extra !== undefined) return `${nameOf(index)} with ${extra}`;
  }
  return undefined;
}

/** Looks at what is there before anything is written. Throws refused() where that is anything else than the export. */
export async function compareExisting(target: Target, world: MongoWorld): Promise<Existing> {
  const { stored, server, database, listed } = target;
  const { metadata, files } = stored;
  const name = `${database}.${metadata.collection}`;
  const table = new DocumentTable(aboutHowMany(stored), newSecret());
  if (listed === undefined) return { table };
  const hint = "import into another database with --as, and copy from there what is missing here";
  const extra = extraKey(metadata.options, listed.options, telling);
  if (extra !== undefined || !holdsAll(metadata.options, listed.options))
    throw refused(
      `${name}: expected the options of the export, found ${extra === undefined ? "others" : `${extra}, too`}`,
      { hint },
    );
  if (metadata.kind === "view") return { table };
  const found = await indexesOf(server.client.db(database), metadata.collection).catch(
    (error: unknown) => {
      throw serverFailure(error, server.uri, `cannot list the indexes of ${name}`);
    },
  );
  const other = otherIndex(metadata.indexes, found);
  if (other !== undefined)
    throw refused(`${name}: expected the indexes of the export, found ${other}`, {
      hint: "drop that index first, or import into another database with --as",
    });
  const key = new Uint32Array(4);
  const content = new Uint32Array(4);
  try {
    const cursor = findRaw(server.client.db(database), metadata.collection, {}, {});
    for await (const page of pagesOf(cursor, world.signal)) {
      for (const document of page) {
        const bytes = rawBytes(document);
        const id = idOf(bytes);
        const file = id === undefined ? undefined : documentPath(id);
        const expected = file === undefined ? undefined : files.read(file)?.bytes;
        if (id === undefined || expected?.equals(bytes) !== true)
          throw refused(
            `${name}: expected no document that the export does not hold, found ${file ?? "one without an _id"}`,
            { hint },
          );
        writeKey(id, key);
        hashContent(bytes, content);
        table.set(key, content, false);
      }
    }
  } catch (error) {
    throw serverFailure(error, server.uri, `cannot read ${name}`);
  }
  return { table };
}
