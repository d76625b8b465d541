import { refused } from "../../errors.ts";
import { changedMounts, type SourceMounts } from "../../guard/mounts.ts";
import { readListing } from "../../manifest/listingfile.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { Planned } from "./planning.ts";
import type { Run } from "./run.ts";
import { mountsNow, type SourceLook } from "./source.ts";

interface Files extends Pick<SourceLook, "listing"> {
  readonly planned: Planned;
}

/** Right before the sync: throws refused when the mounts are not those that were listed. */
export async function requireSameMounts(
  run: Run,
  seen: Files & Pick<SourceLook, "mounts">,
): Promise<void> {
  await requireSteadyMounts(run, seen.mounts, await mountsNow(run), seen);
}

/**
 * Throws refused when a mount came, went or was exchanged between two looks of one run: what was
 * listed meanwhile is neither the one nor the other, and what is missing from it would be deleted.
 * Mounts without files of the backup may come and go: a container's, say.
 */
export async function requireSteadyMounts(
  run: Run,
  before: SourceMounts | undefined,
  now: SourceMounts | undefined,
  files: Files,
): Promise<void> {
  if (before === undefined && now === undefined) return;
  const found = before === undefined || now === undefined ? gone : changedMounts(before, now);
  if (found.length === 0) return;
  const used = await withFiles(run, files, new Set(found.map(({ path }) => path)));
  const texts = found.filter(({ path }) => used.has(path)).map(({ text }) => text);
  if (texts.length === 0) return;
  throw refused(
    `source: expected the same mounts during the whole run, found a change:\n${texts.join("\n")}`,
    { hint: "see that what belongs there is mounted, and run the backup again" },
  );
}

const gone = [{ path: "", text: "the source itself came or went" }];

/** Which of these mounts are on record as holding files, or have files in the listing or to be deleted. */
async function withFiles(
  run: Run,
  { listing, planned }: Files,
  mounts: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  // The source itself always matters.
  const used = new Set(["", ...(run.record?.mounts?.nested ?? []).map(({ path }) => path)]);
  const look = async (pages: Pages<{ readonly path: string }>): Promise<void> => {
    for await (const page of pages) {
      for (const { path } of page)
        for (const mount of mounts) if (path.startsWith(`${mount}/`)) used.add(mount);
    }
  };
  await look(readListing(listing.file));
  await look(planned.changes());
  return used;
}
