import { createReadStream } from "node:fs";
import { failed } from "../errors.ts";
import { parseEntry, type Entry } from "./entry.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Pages } from "./pages.ts";
import { linePages } from "./textpages.ts";

/** Reads a sorted listing file of `path TAB size TAB time` lines. Throws on a line that is none. */
export async function* readListing(file: string): Pages<Entry> {
  for await (const lines of linePages(createReadStream(file, { highWaterMark: 256 * 1024 }))) {
    yield lines.map((line) => {
      const entry = parseEntry(line);
      if (entry === undefined)
        throw failed("listing: expected lines of path, size and time, found one that is not");
      return entry;
    });
  }
}

/** Whether a listing file has a line of this path. */
export async function listsPath(file: string, path: RawPath): Promise<boolean> {
  const wanted = Buffer.from(`\n${path}\t`, "latin1");
  let rest: Buffer = Buffer.from("\n");
  const chunks: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: 1024 * 1024 });
  for await (const chunk of chunks) {
    const text = Buffer.concat([rest, chunk]);
    if (text.includes(wanted)) return true;
    rest = text.subarray(Math.max(0, text.length - wanted.length));
  }
  return false;
}
