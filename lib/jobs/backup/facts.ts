import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { noPages, onePage, type Pages } from "../../manifest/pages.ts";
import type { Listing } from "../../rclone/listing.ts";
import { below } from "../../stores/dir/context.ts";
import { listExactly, listPlace } from "../../stores/dir/listplace.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { candidates, type Facts } from "./misspelled.ts";
import { listContext, type Run } from "./run.ts";

/** Asks what the destination holds of some files now, and what this run has set aside. Throws when that can't be told. */
export function factsOf(run: Run): (paths: readonly RawPath[]) => Promise<Facts> {
  const { session, history } = run;
  const context = listContext(run);
  return async (paths) => {
    const there = await listExactly(context, "in-doubt", session.destination, paths, "destination");
    if (history === undefined) return { there, aside: undefined };
    const aside = new Set<RawPath>();
    const old = await listPlace(context, "in-doubt-aside", below(history.location, run.id));
    for await (const page of old()) for (const { path } of page) aside.add(path);
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
  if (paths.length === 0) return noPages;
  const { destination } = run.session;
  const held = await listExactly(listContext(run), "alike", destination, paths, "destination");
  return () => onePage([...held.values()]);
}
