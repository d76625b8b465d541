import { join } from "node:path";
import { comparesChecksums } from "../../config/flags.ts";
import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { joinEvents, untold, type Doubt } from "../../manifest/outcome.ts";
import { LineSpool } from "../../process/spool.ts";
import { formatFiles } from "../../units/format.ts";
import { comparisonOf } from "./comparing.ts";
import type { Run } from "./run.ts";
import type { Survey } from "./survey.ts";
import { sync, type SyncOutcome } from "./sync.ts";

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
  { planned }: Survey,
  { listing }: Survey,
  done: readonly SyncOutcome[],
  last: SyncOutcome,
): Promise<Uploaded> {
  const { session } = run;
  const { plan, held, sizesOnly } = planned;
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
  const again = await sync(run, "again", { filesFrom: list.file }, listing, planned);
  return { last: joined(last, again), doubted };
}

/** Of any other file nobody knows with what time it is stored; rclone does, where there are times. */
function isCertain(before: Entry | undefined): boolean {
  return before !== undefined && before.uncertain !== true;
}

function joined(last: SyncOutcome, again: SyncOutcome): SyncOutcome {
  return {
    code: again.code === 0 ? last.code : again.code,
    attempts: last.attempts + again.attempts,
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
    leftOut: last.leftOut,
  };
}
