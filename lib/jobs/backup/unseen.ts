import { join } from "node:path";
import { comparesChecksums } from "../../config/flags.ts";
import { interrupted, systemCode, usage } from "../../errors.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { joinEvents, untold, type Doubt } from "../../manifest/outcome.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import type { Entry } from "../../manifest/entry.ts";
import { LineSpool } from "../../process/spool.ts";
import { together } from "../../process/together.ts";
import { comparable } from "../../rclone/ends.ts";
import { formatFiles } from "../../units/format.ts";
import type { Session } from "../session.ts";
import type { Run } from "./run.ts";
import type { Survey } from "./survey.ts";
import { sync, type SyncOutcome } from "./sync.ts";

/*
 * Where rclone can compare neither times nor checksums, it takes files of one size for equal, without
 * a word. What changed is then known by the manifest alone.
 */

/** How rclone compares files of the same size between the two ends. */
export interface Comparison {
  /** It does not: they are equal for it. */
  readonly sizesOnly: boolean;
  /** Whether the destination keeps times of modification. */
  readonly timesKept: boolean;
}

/** Asks rclone by what it can compare the two ends. */
export async function comparisonOf(session: Session): Promise<Comparison> {
  const { rclone, source, destination, tuning, world } = session;
  const [here, there] = await together(
    comparable(rclone, source, tuning, world.signal),
    comparable(rclone, destination, tuning, world.signal),
  );
  const common = here.hashes?.some((hash) => there.hashes?.includes(hash) ?? true) ?? true;
  const sizesOnly = comparesChecksums(tuning.flags) ? !common : !here.times || !there.times;
  return { sizesOnly, timesKept: there.times };
}

/**
 * Throws a usage failure where rclone is to compare checksums and there are none: crypt has none of
 * what it encrypts.
 */
export function refuseBlindChecksums({ backup, sourcePlace, destinationPlace }: Session): void {
  if (!comparesChecksums(backup.rclone.flags)) return;
  for (const { layers } of [sourcePlace, destinationPlace])
    if (layers.includes("crypt"))
      throw usage(
        "rclone.flags: expected a flag that lets rclone see what changed, found --checksum with crypt, which has no checksums of what it encrypts",
        {
          hint: "remove --checksum: without it rclone compares times; with it a changed file of the same size would not be seen",
        },
      );
}

/** The best that is known where the manifest isn't trusted: what it says, where it can be read. */
export async function lastKnown(run: Run): Promise<() => Pages<Entry>> {
  try {
    for await (const _ of readManifest(run.files.manifest));
    return () => readManifest(run.files.manifest);
  } catch (error) {
    if (error instanceof DamagedManifest || systemCode(error) === "ENOENT") return noPages;
    if (run.session.world.signal.aborted) throw interrupted("stopped by a signal");
    throw error;
  }
}

/** What several syncs of one run did, the last of them, and of what their silence proves nothing. */
export interface Uploaded {
  readonly last: SyncOutcome;
  readonly doubted?: Doubt;
}

/**
 * Uploads the changed files that rclone did not see to be changed, with one more call of it: its
 * outcome becomes a part of the last sync's. `planned` is the plan of the run, `seen` what was seen
 * before the last sync.
 */
export async function uploadUnseen(
  run: Run,
  { planned: { plan, held, sizesOnly } }: Survey,
  { listing }: Survey,
  done: readonly SyncOutcome[],
  last: SyncOutcome,
): Promise<Uploaded> {
  const { session } = run;
  const bySize = done.some((one) => one.bySize);
  const byManifest = plan.from === "manifest";
  if (comparesChecksums(session.tuning.flags) && !bySize) return { last };
  if (byManifest && done.length === 1 && plan.adds.files + plan.changes.files === 0)
    return { last };
  let blind = bySize ? true : sizesOnly;
  if (!byManifest && blind !== true) return { last };
  const list = new LineSpool(join(run.scratch, "unseen"));
  const told = joinEvents(done.map(({ events }) => events));
  let count = 0;
  for await (const page of untold(held(), readListing(listing.file), told))
    for (const { before, now } of page) {
      if (!isCertain(before)) {
        if (!byManifest && before === undefined) continue;
        blind ??= (await comparisonOf(session)).sizesOnly;
        if (!blind) continue;
      }
      list.write(now.path);
      count += 1;
    }
  list.close();
  const doubted: Doubt = (before) =>
    isCertain(before) || (blind === true && (byManifest || before !== undefined));
  if (count === 0) return { last, doubted };
  session.world.events.detail(
    1,
    `${formatFiles(count)} changed, in which rclone saw no change: uploading them`,
  );
  const again = await sync(run, "again", { filesFrom: list.file }, listing, held);
  return { last: joined(last, again), doubted };
}

/** Of any other file nobody knows with what time it is stored; rclone does, where there are times. */
function isCertain(before: Entry | undefined): boolean {
  return before !== undefined && before.uncertain !== true;
}

function joined(last: SyncOutcome, again: SyncOutcome): SyncOutcome {
  return {
    code: again.code === 0 ? last.code : again.code,
    atLimit: last.atLimit,
    lastError: again.lastError ?? last.lastError,
    stats: again.stats ?? last.stats,
    failures: [...last.failures, ...again.failures],
    failureCount: last.failureCount + again.failureCount,
    deletesSuppressed: last.deletesSuppressed,
    copied: {
      files: last.copied.files + again.copied.files,
      bytes: last.copied.bytes + again.copied.bytes,
    },
    deleted: last.deleted + again.deleted,
    eventCount: last.eventCount + again.eventCount,
    events: () => joinEvents([last.events, again.events]),
    bySize: last.bySize,
  };
}
