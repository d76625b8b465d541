import { join } from "node:path";
import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import type { Listing } from "../../rclone/listing.ts";
import { below } from "../../stores/dir/context.ts";
import { listPlace } from "../../stores/dir/putback.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { candidates, type Facts } from "./misspelled.ts";
import type { Run } from "./run.ts";

/** Asks what the destination holds of some files now, and what this run has set aside. Throws when that can't be told. */
export function factsOf(run: Run): (paths: readonly RawPath[]) => Promise<Facts> {
  const { session, scratch, history } = run;
  return async (paths) => {
    const there = new Map<RawPath, Entry>();
    const held = await listExactly(run, "in-doubt", paths);
    await each(held(), (entry) => there.set(entry.path, entry));
    if (history === undefined) return { there, aside: undefined };
    const aside = new Set<RawPath>();
    const { rclone, features, tuning, world } = session;
    const context = { rclone, features, tuning, scratch, signal: world.signal };
    const old = await listPlace(context, "in-doubt-aside", below(history.location, run.id));
    await each(old(), ({ path }) => aside.add(path));
    return { there, aside };
  };
}

/** Names that a dry run told and its log can't spell, and whether one of each is to be deleted. */
export type MisspelledPlan = ReadonlyMap<string, boolean>;

/**
 * What the destination holds of the listed files that such names may mean, where they may mean several. Throws when that
 * can't be told.
 */
export async function heldOfAlike(
  run: Run,
  { file }: Listing,
  plan: MisspelledPlan,
): Promise<() => Pages<Entry>> {
  if (plan.size === 0) return noPages;
  const meant = await candidates(new Set(plan.keys()), noPages(), readListing(file));
  const paths = [...meant]
    .filter(([text, files]) => files.length > 1 || plan.get(text) === true)
    .flatMap(([, files]) => files.map(({ path }) => path));
  return paths.length === 0 ? noPages : listExactly(run, "alike", paths);
}

async function listExactly(
  { session, scratch }: Run,
  name: string,
  paths: readonly RawPath[],
): Promise<() => Pages<Entry>> {
  const list = new LineSpool(join(scratch, name));
  for (const path of paths) list.write(path);
  list.close();
  const { rclone, features, tuning, destination, world } = session;
  const context = { rclone, features, tuning, scratch, signal: world.signal };
  return listPlace(context, name, destination, { filesFrom: list.file });
}

async function each(entries: Pages<Entry>, take: (entry: Entry) => void): Promise<void> {
  for await (const page of entries) for (const entry of page) take(entry);
}
