import { join } from "node:path";
import { failed } from "../../errors.ts";
import { listsPath } from "../../manifest/listingfile.ts";
import { LineSpool } from "../../process/spool.ts";
import { listArgs } from "../../rclone/argv.ts";
import type { FirstLook, Listing } from "../../rclone/listing.ts";
import { runRclone } from "../../rclone/run.ts";
import { rawFromText } from "../../units/rawpath.ts";
import type { Planned } from "./planning.ts";
import type { Run } from "./run.ts";

/** So many files are asked for, spread over all: one that is there is enough. */
const sampled = 100;

/**
 * Whether the files at the destination are those of this backup: in the mount point of a disk that is not
 * mounted others may lie. Usually the first one found is also in the source, and nothing is asked; else it is
 * asked for a sample of those that should be there, or was by a dry run for all. True where nothing is known of earlier runs.
 */
export async function holdsKnown(
  run: Run,
  { top, file }: FirstLook,
  listing: Listing,
  planned: Planned,
): Promise<boolean> {
  if (top !== "files" || file === undefined || run.heldBefore === 0) return true;
  if (await listsPath(listing.file, rawFromText(file))) return true;
  const { rclone, features, destination, tuning, world } = run.session;
  const { from, held, deletes } = planned.plan;
  // Of those that it found there, a dry run deletes what isn't in the source.
  if (from === "dry run") return held.files > deletes.files;
  const every = Math.max(1, Math.ceil(held.files / sampled));
  const spool = new LineSpool(join(run.scratch, "known"));
  let count = 0;
  for await (const page of planned.held())
    for (const { path } of page) {
      if (count % every === 0) spool.write(path);
      count += 1;
    }
  spool.close();
  if (count === 0) return true;
  let found = false;
  const { code, lastError } = await runRclone(rclone, {
    args: listArgs(
      { location: destination, filterFile: undefined, filesFrom: spool.file },
      tuning,
      features,
    ),
    signal: world.signal,
    onLine: () => {
      found = true;
    },
  });
  if (code !== 0 && !found)
    throw failed(
      `destination: expected a listing of some files, found rclone exit code ${code}: ${lastError ?? "no message"}`,
    );
  return found;
}
