import { createReadStream, type ReadStream } from "node:fs";
import { failed } from "../errors.ts";
import { parseEntry, type Entry } from "./entry.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Pages } from "./pages.ts";
import { linePages } from "./textpages.ts";

/** Reads a sorted listing file of `path TAB size TAB time` lines. Throws on a line that is none. */
export async function* readListing(file: string): Pages<Entry> {
  for await (const lines of linePages(listingBytes(file))) {
    yield lines.map((line) => {
      const entry = parseEntry(line);
      if (entry === undefined) throw noListing();
      return entry;
    });
  }
}

/** The bytes of a listing file, for who needs no strings of it. */
export function listingBytes(file: string): ReadStream {
  return createReadStream(file, { highWaterMark: 256 * 1024 });
}

/** What to throw at a line that is none of a listing. */
export function noListing(): Error {
  return failed("listing: expected lines of path, size and time, found one that is not");
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
