import { join } from "node:path";
import { failed } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import type { Pages } from "../../manifest/pages.ts";
import { writeScratch } from "../../process/scratchfile.ts";
import { LineSpool } from "../../process/spool.ts";
import type { ListIntent } from "../../rclone/argv.ts";
import { listFiles, LocationMissing } from "../../rclone/listing.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { DirContext } from "./context.ts";

/** What it takes to list a place. */
export type ListContext = Pick<DirContext, "rclone" | "features" | "tuning" | "scratch" | "signal">;

interface ListChoice extends Pick<ListIntent, "filesFrom" | "filterFile" | "anyCase"> {
  /** What is listed, for messages. */
  readonly what?: string;
}

/**
 * Lists a place as it is now, all of it or only the files named in a list, or that rules let through; nothing where it
 * does not exist. Throws when some of it can't be read: a file that is not listed would be taken for none.
 */
export async function listPlace(
  context: ListContext,
  name: string,
  location: string,
  { what = "history", ...choice }: ListChoice = {},
): Promise<() => Pages<Entry>> {
  const output = join(context.scratch, `${name}.listing`);
  const { rclone, features, tuning, scratch, signal } = context;
  try {
    const { complete, unreadable } = await listFiles(rclone, features, tuning, {
      ...{ location, output, scratch, signal, ...choice, what },
    });
    if (!complete)
      throw failed(
        `${what}: expected a whole listing, found what can't be read: ${unreadable[0]?.reason ?? "no reason told"}`,
      );
  } catch (error) {
    if (!(error instanceof LocationMissing)) throw error;
    await writeScratch(output, "");
  }
  return () => readListing(output);
}

/** What a place holds of exactly these files. `name` tells temporaries apart. Throws as listPlace() does. */
export async function listExactly(
  context: ListContext,
  name: string,
  location: string,
  paths: Iterable<RawPath>,
  what?: string,
): Promise<ReadonlyMap<RawPath, Entry>> {
  const list = new LineSpool(join(context.scratch, `${name}.list`));
  for (const path of paths) list.write(path);
  list.close();
  const choice = { filesFrom: list.file, ...(what === undefined ? {} : { what }) };
  const found = new Map<RawPath, Entry>();
  for await (const page of (await listPlace(context, name, location, choice))())
    for (const entry of page) found.set(entry.path, entry);
  return found;
}
