import { judge } from "../../guard/findings.ts";
import { countChanges } from "../../guard/plan.ts";
import { digestListing } from "../../manifest/digest.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { readRecord } from "../../state/record.ts";
import type { Gone, Verification } from "./verification.ts";

/** Counts the files of the backup that are not in a listing of all of the source; undefined where no manifest tells what the backup holds. */
export async function goneFrom(work: Verification, listing: string): Promise<Gone | undefined> {
  if (!work.trusted) return undefined;
  try {
    const { record } = await readRecord(work.files.record, { setAside: false });
    const { good } = record ?? {};
    // A source that lists as it did then has all of it: the manifest need not be read to know that.
    if (good !== undefined && good.listing === (await digestListing(listing)))
      return { files: 0, bytes: 0, of: good.files, suspicious: false };
    const plan = await countChanges(readManifest(work.files.manifest), readListing(listing));
    const { guards } = work.session.backup;
    // How much changed says nothing about what is there.
    const limits = { maxDelete: guards.maxDelete, maxChange: { kind: "off" as const } };
    const { findings } = judge(plan, limits, "files", 0);
    return { ...plan.deletes, of: plan.held.files, suspicious: findings.length > 0 };
  } catch (error) {
    // The next backup sets it aside and tells.
    if (error instanceof DamagedManifest) return undefined;
    throw error;
  }
}
