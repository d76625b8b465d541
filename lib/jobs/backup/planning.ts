import { join } from "node:path";
import { failed } from "../../errors.ts";
import {
  archiveName,
  countChanges,
  planOfDryRun,
  withoutDeletes,
  type SyncPlan,
} from "../../guard/plan.ts";
import { changes, formatChange, readChanges, type Change } from "../../manifest/changes.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { readManifest } from "../../manifest/manifest.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import type { Entry } from "../../manifest/entry.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { syncArgs } from "../../rclone/argv.ts";
import type { Listing } from "../../rclone/listing.ts";
import { runRclone } from "../../rclone/run.ts";
import { Counter, type Count } from "../../units/count.ts";
import { rawFromText } from "../../units/rawpath.ts";
import type { Run } from "./run.ts";
import { progressOf } from "../statistics.ts";

/** A plan with the means to go through its changes again, file by file. */
export interface Planned {
  readonly plan: SyncPlan;
  readonly changes: () => Pages<Change>;
  /** What the destination is known to hold; nothing where that is not known. */
  readonly held: () => Pages<Entry>;
}

/** Counts against the manifest: no look at the destination is needed. */
export async function planByManifest(run: Run, listing: Listing): Promise<Planned> {
  const held = (): Pages<Entry> => readManifest(run.files.manifest);
  return {
    plan: await countChanges(held(), readListing(listing.file)),
    changes: () => changes(held(), readListing(listing.file)),
    held,
  };
}

/**
 * Plans for a source that lists just as it did when the manifest was written: nothing differs, and
 * nothing needs to be read to know it.
 */
export function planUnchanged(run: Run, known: Count): Planned {
  const nothing = { files: 0, bytes: 0 };
  return {
    plan: {
      from: "manifest",
      source: known,
      ownFiles: known.files,
      held: known,
      ownHeld: known.files,
      adds: nothing,
      changes: nothing,
      deletes: nothing,
      complete: true,
    },
    changes: noPages,
    held: () => readManifest(run.files.manifest),
  };
}

/** The same without deletions, for a source of which some could not be read. */
export function keepAll(planned: Planned): Planned {
  async function* kept(): Pages<Change> {
    for await (const page of planned.changes()) yield page.filter(({ kind }) => kind !== "delete");
  }
  return { ...planned, plan: withoutDeletes(planned.plan), changes: kept };
}

/** Plans for a destination that holds nothing. */
export async function planForEmpty(listing: Listing): Promise<Planned> {
  return {
    plan: await countChanges(noPages(), readListing(listing.file)),
    changes: () => changes(noPages(), readListing(listing.file)),
    held: noPages,
  };
}

/**
 * Counts by one dry run against the destination, where no manifest says what it holds.
 * Throws when rclone can't tell: a count that failed is no count.
 */
export async function planByDryRun(
  run: Run,
  listing: Listing,
  filterFile: string,
): Promise<Planned> {
  const { session, scratch } = run;
  const spool = new LineSpool(join(scratch, "dry-run"));
  const copies = new Counter();
  const deletes = new Counter();
  let checks = 0;
  let archive = false;
  const { code, lastError } = await runRclone(session.rclone, {
    args: syncArgs(
      {
        source: session.source,
        destination: session.destination,
        filterFile,
        maxDelete: undefined,
        dryRun: true,
        statsEvery: 1,
      },
      session.tuning,
    ),
    signal: session.world.signal,
    onLog: (record) => {
      if (record.stats !== undefined) {
        checks = record.stats.checks;
        session.world.events.progress(progressOf("counting", record.stats));
      }
      if (record.object === undefined || (record.skipped !== "copy" && record.skipped !== "delete"))
        return;
      if (record.object === archiveName) archive = true;
      const size = record.size ?? -1;
      (record.skipped === "copy" ? copies : deletes).add(size);
      // A dry run does not tell new files from changed ones.
      const kind = record.skipped === "copy" ? "change" : "delete";
      spool.write(formatChange({ path: rawFromText(record.object), size, kind }));
    },
  });
  spool.close();
  // With unreadable files rclone deletes nothing, and what it told before is still true.
  if (code !== 0 && listing.complete) {
    throw failed(
      `destination: expected a dry run to count what would change, found rclone exit code ${code}: ${lastError ?? "no message"}`,
    );
  }
  const sorted = `${spool.file}.sorted`;
  await sortFile(spool.file, sorted, scratch, { signal: session.world.signal });
  const source = new Counter();
  let own = 0;
  for await (const page of readListing(listing.file)) {
    for (const entry of page) {
      source.add(entry.size);
      if (entry.path === archiveName) archive = true;
      else own += 1;
    }
  }
  const plan = planOfDryRun(source.count, own, {
    checks,
    copies: copies.count,
    deletes: deletes.count,
    archive,
  });
  return { plan, changes: () => readChanges(sorted), held: noPages };
}
