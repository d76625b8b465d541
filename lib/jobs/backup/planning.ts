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
import { Obstacles, obstacles, type Obstacle } from "../../manifest/obstacles.ts";
import { pairs } from "../../manifest/outcome.ts";
import { merge, noPages, type Pages } from "../../manifest/pages.ts";
import { unchanged, type Entry } from "../../manifest/entry.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { together } from "../../process/together.ts";
import { syncArgs } from "../../rclone/argv.ts";
import type { Listing } from "../../rclone/listing.ts";
import { runRclone } from "../../rclone/run.ts";
import { Counter, type Count } from "../../units/count.ts";
import { rawFromText } from "../../units/rawpath.ts";
import { heldOfAlike } from "./facts.ts";
import { isMisspelled } from "./misspelled.ts";
import { rawObstacles } from "./rawobstacles.ts";
import type { Run } from "./run.ts";
import { progressOf } from "../statistics.ts";
import { comparisonOf, lastKnown } from "./comparing.ts";

/** A plan with the means to go through its changes again, file by file. */
export interface Planned {
  readonly plan: SyncPlan;
  readonly changes: () => Pages<Change>;
  /** Files that are deleted and in the way of others that come; unsorted. */
  readonly inTheWay: () => Pages<Obstacle>;
  /** What the destination is known to hold; nothing where that is not known. */
  readonly held: () => Pages<Entry>;
  /** The same after a dry run, for files that rclone's log may not tell apart. */
  readonly heldAlike?: () => Pages<Entry>;
  /** Whether rclone compares nothing but sizes between the ends; undefined where it was not asked. */
  readonly sizesOnly?: boolean;
  /** Files that were there, of their size, before anybody knew of them, and that nothing else tells of. */
  readonly unproved?: number;
}

/** Counts against the manifest: no look at the destination is needed. */
export async function planByManifest(run: Run, listing: Listing): Promise<Planned> {
  const held = (): Pages<Entry> => readManifest(run.files.manifest);
  const changed = (): Pages<Change> => changes(held(), readListing(listing.file));
  const seen = new Obstacles();
  let any = false;
  const plan = await countChanges(held(), readListing(listing.file), (path, kind) => {
    any ||= seen.see({ path, kind }).length > 0;
  });
  // Nearly no run has any: then nothing is read again for them.
  return { plan, changes: changed, inTheWay: any ? () => obstacles(changed()) : noPages, held };
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
    inTheWay: noPages,
    held: () => readManifest(run.files.manifest),
  };
}

/** The same without deletions, for a source of which some could not be read. */
export function keepAll(planned: Planned): Planned {
  async function* kept(): Pages<Change> {
    for await (const page of planned.changes()) yield page.filter(({ kind }) => kind !== "delete");
  }
  return { ...planned, plan: withoutDeletes(planned.plan), changes: kept, inTheWay: noPages };
}

/** Plans for a destination that holds nothing. */
export async function planForEmpty(listing: Listing): Promise<Planned> {
  return {
    plan: await countChanges(noPages(), readListing(listing.file)),
    changes: () => changes(noPages(), readListing(listing.file)),
    inTheWay: noPages,
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
  const misspelled = new Map<string, boolean>();
  const counting = runRclone(session.rclone, {
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
      const { object, skipped } = record;
      if (isMisspelled(object))
        misspelled.set(object, skipped === "delete" || misspelled.get(object) === true);
      // A dry run does not tell new files from changed ones.
      const kind = record.skipped === "copy" ? "change" : "delete";
      spool.write(formatChange({ path: rawFromText(record.object), size, kind }));
    },
  });
  const [{ code, lastError }, { sizesOnly }] = await together(counting, comparisonOf(session));
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
  const blind = sizesOnly ? await addUnseen(run, listing, sorted, copies) : undefined;
  const plan = planOfDryRun(source.count, own, {
    checks,
    copies: copies.count,
    deletes: deletes.count,
    archive,
  });
  const told = { changes: () => readChanges(sorted), held: noPages, ...blind };
  const inTheWay = (): Pages<Obstacle> => rawObstacles(run, listing, obstacles(told.changes()));
  const heldAlike = await heldOfAlike(run, listing, misspelled);
  return { plan, ...told, heldAlike, inTheWay, sizesOnly };
}

/**
 * Adds what the last manifest knows to have changed, and a dry run that compares sizes did not see:
 * the run will upload it. Returns what is other in the plan for it.
 */
async function addUnseen(
  run: Run,
  listing: Listing,
  sorted: string,
  copies: Counter,
): Promise<Pick<Planned, "changes" | "held" | "unproved">> {
  const held = await lastKnown(run);
  const file = join(run.scratch, "dry-run.all");
  const spool = new LineSpool(file);
  let unproved = 0;
  const known = pairs(held(), readListing(listing.file));
  for await (const page of merge(known, readChanges(sorted)))
    for (const [pair, told] of page) {
      const { before, now } = pair ?? {};
      if (told !== undefined) spool.write(formatChange(told));
      else if (now === undefined) continue;
      else if (before === undefined) unproved += 1;
      else if (!unchanged(before, now)) {
        copies.add(now.size);
        spool.write(formatChange({ path: now.path, size: now.size, kind: "change" }));
      }
    }
  spool.close();
  return { changes: () => readChanges(file), held, unproved };
}
