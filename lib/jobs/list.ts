import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../errors.ts";
import type { Entry } from "../manifest/entry.ts";
import { readListing } from "../manifest/listingfile.ts";
import type { Pages } from "../manifest/pages.ts";
import { listFiles } from "../rclone/listing.ts";
import { rulesOf, writeRules } from "./filterfile.ts";
import type { Session } from "./session.ts";

export interface ListOptions {
  /** Puts the test filters before the filters. */
  readonly testFilters: boolean;
}

/**
 * Lists the source under its filters, sorted by path, and hands the pages on.
 * Throws failed when a part of the source can't be read, after all that can be was handed on.
 */
export async function listSource(
  session: Session,
  options: ListOptions,
  onPages: (pages: Pages<Entry>) => Promise<void>,
): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  try {
    const listing = await listFiles(session.rclone, session.features, session.tuning, {
      location: session.source,
      filterFile: await writeRules(scratch, "rules", await rulesOf(session, options)),
      output: join(scratch, "listing"),
      scratch,
      signal: session.world.signal,
      what: "source",
    });
    await onPages(readListing(listing.file));
    const [first] = listing.unreadable;
    if (first !== undefined)
      throw failed(
        `source: expected all of it to be readable, found ${listing.unreadable.length} ${listing.unreadable.length === 1 ? "place that is" : "places that are"} not: ${first.path}: ${first.reason}`,
      );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The newest file of the source whose time is not in the future; undefined when there is none. */
export async function newestFile(
  session: Session,
  options: ListOptions,
): Promise<Entry | undefined> {
  const now = session.world.now().getTime();
  let newest: Entry | undefined;
  let time = -Infinity;
  await listSource(session, options, async (pages) => {
    for await (const page of pages) {
      for (const entry of page) {
        const at = Date.parse(entry.time);
        if (at > now || at < time) continue;
        // Date knows milliseconds only; the fraction in the text may be finer.
        if (at === time && fraction(entry) <= fraction(newest)) continue;
        newest = entry;
        time = at;
      }
    }
  });
  return newest;
}

/** What follows the seconds of a time. Without the Z it compares as a fraction does. */
function fraction(entry: Entry | undefined): string {
  return (entry?.time ?? "").slice("2006-01-02T15:04:05".length).replace(/Z$/, "");
}
