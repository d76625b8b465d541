import { setImmediate } from "node:timers/promises";
import { hashContent } from "./content.ts";
import type { DocumentFiles } from "./files.ts";
import { writeKey, type Key } from "./key.ts";
import { idOfName } from "./nameid.ts";
import { documentPath } from "./place.ts";
import type { DocumentTable } from "./table.ts";

/** So many files are looked at before the event loop gets a turn. */
const pageFiles = 1000;

/**
 * Makes a table agree with the files: records without a file go, files without a record are read. Tells
 * whether anything was different, and which files hold no document.
 */
export async function compareWithFiles(
  table: DocumentTable,
  files: DocumentFiles,
  signal: AbortSignal,
): Promise<{ readonly different: boolean; readonly damaged: readonly string[] }> {
  const key: Key = new Uint32Array(4);
  const content = new Uint32Array(4);
  const damaged: string[] = [];
  let [different, looked] = [false, 0];
  for (const shard of files.shards()) {
    for (const name of files.names(shard)) {
      looked += 1;
      if (looked % pageFiles === 0) {
        await setImmediate();
        signal.throwIfAborted();
      }
      const id = idOfName(name);
      // In another directory than its own it is found by nobody.
      if (id !== undefined && documentPath(id) === `${shard}/${name}`) {
        writeKey(id, key);
        const place = table.find(key);
        if (place >= 0) {
          table.markSeen(place);
          continue;
        }
      }
      const file = `${shard}/${name}`;
      const found = files.read(file);
      if (found === undefined) {
        damaged.push(file);
        different = true;
        continue;
      }
      writeKey(found.id, key);
      const place = table.find(key);
      if (place >= 0) {
        table.markSeen(place);
        continue;
      }
      different = true;
      hashContent(found.bytes, content);
      table.set(key, content, true);
    }
  }
  const missing = [...table.unseen()];
  for (const each of missing) table.remove(each);
  table.forgetSeen();
  return { different: different || missing.length > 0, damaged };
}
