import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { digestListing } from "../../manifest/digest.ts";
import { DamagedManifest, readManifestHeader } from "../../manifest/manifest.ts";
import type { FirstLook, Top } from "../../rclone/listing.ts";
import { formatFiles } from "../../units/format.ts";
import { binding } from "../filterfile.ts";
import {
  keepAll,
  planByDryRun,
  planByManifest,
  planForEmpty,
  planUnchanged,
  type Planned,
} from "./planning.ts";
import { checkRequired } from "./required.ts";
import { holdsKnown } from "./known.ts";
import { warn, type Run } from "./run.ts";
import { lookAtSource, type SourceLook } from "./source.ts";
import { requireSteadyMounts } from "./steady.ts";
import { tooLongText } from "./toolong.ts";

/** What a run sees of both ends before it changes anything. */
export interface Survey extends SourceLook {
  /** `foreign` where there are files, but none of those that the last run left there. */
  readonly top: Top | "foreign";
  readonly planned: Planned;
  /** Digest of the listing. */
  readonly digest: string;
}

/**
 * Plans by one look at each end. Only where no manifest says what the destination holds is it
 * counted, by one dry run.
 */
export async function survey(run: Run, there: FirstLook, look: SourceLook): Promise<Survey> {
  if (look.tooLong.count > 0) warn(run, tooLongText(look.tooLong));
  const digest = await digestListing(look.listing.file);
  let known = await plan(run, { ...look, digest, top: there.top });
  const isForeign = !(await holdsKnown(run, there, look.listing, known));
  if (isForeign && known.plan.from === "manifest")
    known = await planByDryRun(run, look.listing, look.filterFile);
  const top: Survey["top"] = isForeign ? "foreign" : there.top;
  if (known.unproved !== undefined && known.unproved > 0)
    warn(run, unprovedText(known.unproved, run.session.backup.name));
  const planned = look.listing.complete ? known : keepAll(known);
  const seen = { ...look, digest, top, planned };
  await requireSteadyMounts(run, look.mountsBefore, look.mounts, seen);
  return seen;
}

/**
 * Looks at the source anew in the middle of a run, with all that must hold for it, and counts at the
 * destination what is left to do. Throws like a first look, and refused when other mounts are there.
 */
export async function surveyAgain(run: Run, before: Survey): Promise<Survey> {
  // Apart from the first look's files, which are still read.
  const scratch = join(run.scratch, "again");
  await mkdir(scratch, { recursive: true });
  const again = { ...run, scratch };
  await checkRequired(run);
  const look = await lookAtSource(again);
  const digest = await digestListing(look.listing.file);
  const planned = await planByDryRun(again, look.listing, look.filterFile);
  const seen = { ...look, digest, top: before.top, planned };
  await requireSteadyMounts(run, before.mounts, look.mountsBefore, seen);
  await requireSteadyMounts(run, look.mountsBefore, look.mounts, seen);
  return seen;
}

async function plan(
  run: Run,
  {
    listing,
    digest,
    top,
    filterFile,
  }: Pick<Survey, "listing" | "digest" | "filterFile"> & { readonly top: Top },
): Promise<Planned> {
  if (top !== "files") return planForEmpty(listing);
  if (await trusted(run)) {
    const good = run.record?.good;
    // One file may be the archive alone, and that counts as empty: look closer.
    if (good !== undefined && good.listing === digest && good.files > 1 && listing.complete) {
      return planUnchanged(run, { files: good.files, bytes: good.bytes });
    }
    try {
      return await planByManifest(run, listing);
    } catch (error) {
      if (!(error instanceof DamagedManifest)) throw error;
      await setAside(run, error);
    }
  }
  return planByDryRun(run, listing, filterFile);
}

/** Whether the manifest says what the destination holds under these settings. */
async function trusted(run: Run): Promise<boolean> {
  const { record } = run;
  if (record === undefined || !record.trusted || record.running !== undefined) return false;
  if (run.history?.surprising === true) return false;
  try {
    return (await readManifestHeader(run.files.manifest))?.binding === binding(run.session);
  } catch (error) {
    if (!(error instanceof DamagedManifest)) throw error;
    await setAside(run, error);
    return false;
  }
}

async function setAside(run: Run, error: DamagedManifest): Promise<void> {
  const aside = `${run.files.manifest}.damaged`;
  if (!run.options.dryRun) await rename(run.files.manifest, aside);
  run.session.world.events.warn(
    `manifest: ${error.message}; ${run.options.dryRun ? "" : `it is kept as ${aside}, and `}what the destination holds is counted anew`,
  );
}

function unprovedText(files: number, name: string): string {
  return `destination: expected files with times of modification, found ${formatFiles(files)} where none are kept and no manifest tells what they are: taken as equal by their size; rclone-backup --verify all ${name} reads them back`;
}
