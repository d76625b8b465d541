import { refused } from "../../errors.ts";
import { idOf } from "../../documents/bson.ts";
import { hashContent } from "../../documents/content.ts";
import { writeKey } from "../../documents/key.ts";
import { holdsAll } from "../../documents/metadata.ts";
import { documentPath } from "../../documents/place.ts";
import { aboutHowMany } from "../../documents/reading.ts";
import { findRaw, pagesOf, rawBytes, serverFailure } from "../../documents/server.ts";
import { newSecret } from "../../documents/statefile.ts";
import { DocumentTable } from "../../documents/table.ts";
import type { Target } from "./target.ts";
import type { MongoWorld } from "./world.ts";

/** What of a collection is on the server already, and is as it should be. */
export interface Existing {
  readonly table: DocumentTable;
}

/** Looks at what is there before anything is written. Throws refused() where that is anything else than the export. */
export async function compareExisting(target: Target, world: MongoWorld): Promise<Existing> {
  const { stored, server, database, listed } = target;
  const { metadata, files } = stored;
  const name = `${database}.${metadata.collection}`;
  const table = new DocumentTable(aboutHowMany(stored), newSecret());
  if (listed === undefined) return { table };
  const hint = "import into another database with --as, or remove what is there first";
  if (!holdsAll(metadata.options, listed.options))
    throw refused(`${name}: expected the options of the export, found others`, { hint });
  if (metadata.kind === "view") return { table };
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
