import { createReadStream } from "node:fs";
import { failed } from "../errors.ts";
import { parseEntry, type Entry } from "./entry.ts";
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
