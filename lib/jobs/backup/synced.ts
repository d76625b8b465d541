import { failed, Failure } from "../../errors.ts";
import { judge } from "../../guard/findings.ts";
import { planInAll, type SyncPlan } from "../../guard/plan.ts";
import { writeManifest } from "../../manifest/manifest.ts";
import { joinEvents, outcome, type Doubt, type FileEvent } from "../../manifest/outcome.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import type { Entry } from "../../manifest/entry.ts";
import { redactLocation } from "../../rclone/location.ts";
import type { Count } from "../../units/count.ts";
import { textFromRaw } from "../../units/rawpath.ts";
import { binding } from "../filterfile.ts";
import type { FileFailure } from "../result.ts";
import { forgetting } from "../verify/forget.ts";
import { withCame, type Done } from "./came.ts";
import { deletionsFor } from "./history.ts";
import { findLeftOut, nothingLeftOut, withLeftOut, type LeftOut } from "./leftout.ts";
import type { Run } from "./run.ts";
import { surveyAgain, type Survey } from "./survey.ts";
import { sync, type SyncOutcome, type SyncWork } from "./sync.ts";
import { lastKnown } from "./comparing.ts";
import { uploadUnseen } from "./unseen.ts";

/** What a sync did, and what the destination holds now. */
export interface Synced {
  readonly copied: Count;
  readonly deleted: number;
  readonly failures: readonly FileFailure[];
  readonly failureCount: number;
  readonly deletesSuppressed: boolean;
  /** What was seen of both ends last; its plan is of the whole run. */
  readonly seen: Survey;
  /** What was told of each file; in two syncs of one run, what the second told. */
  readonly events: () => Pages<FileEvent>;
  readonly eventCount: number;
  readonly held: Held;
  /** rclone ended without an error, so the manifest says what the destination holds. */
  readonly clean: boolean;
  /** Why the run is not good; undefined when it is. */
  readonly failure: Failure | undefined;
}

/** What the destination holds now. */
export interface Held extends Count {
  /** Digest of the listing that the manifest equals line by line; undefined when it does not. */
  readonly listing: string | undefined;
}

/** The syncs of one run in order, and what was seen before the last of them. */
interface Syncs {
  readonly done: Done;
  readonly seen: Survey;
  /** Why there was no other sync after rclone stopped at its limit. */
  readonly failure?: Failure;
  /** Of what the silence of the last proves nothing. */
  readonly doubted?: Doubt | undefined;
  /** What rclone left out without an error. */
  readonly leftOut?: LeftOut;
}

/**
 * Syncs with the planned number of deletions as rclone's limit, and writes the manifest of what the
 * destination holds then, whether the sync was good or not.
 * Throws only when the run was stopped or the state can't be written.
 */
export async function syncAsPlanned(run: Run, planned: Survey): Promise<Synced> {
  const { plan } = planned.planned;
  // What is missing from an incomplete listing may exist: nothing is to be deleted for it.
  const limit = deletionsFor(run, planned, planned.listing.complete ? plan.deletes.files : 0);
  const work = workOf(planned, limit);
  const first = await sync(run, "first", work, planned.listing, planned.planned);
  const uploaded = await withUnseen(
    run,
    planned,
    first.atLimit && planned.listing.complete
      ? await syncRecounted(run, planned, first)
      : { done: [first], seen: planned },
  );
  const syncs = { ...uploaded, done: await withCame(run, planned, uploaded.done) };
  const { done, seen, leftOut = nothingLeftOut } = syncs;
  const last = done.at(-1) ?? first;
  const clean = last.code === 0;
  const { tooLong } = seen;
  const failures = [...tooLong.failures, ...leftOut.failures, ...(clean ? [] : last.failures)];
  const failureCount = tooLong.count + leftOut.count + (clean ? 0 : last.failureCount);
  const ended = syncs.failure ?? (clean ? undefined : classify(run, last));
  const failure =
    failureCount > 0 && (ended === undefined || ended.outcome === "partial")
      ? partial(run, failures, failureCount, last.deletesSuppressed)
      : ended;
  return {
    copied: {
      files: total(done, ({ copied }) => copied.files),
      bytes: total(done, ({ copied }) => copied.bytes),
    },
    deleted: total(done, ({ deleted }) => deleted),
    failures,
    failureCount,
    deletesSuppressed: last.deletesSuppressed,
    seen,
    events: () => joinEvents(done.map(({ events }) => events)),
    eventCount: total(done, ({ eventCount }) => eventCount),
    held: await keepManifest(run, planned, syncs, clean),
    clean,
    failure,
  };
}

function workOf({ filterFile, planned }: Survey, maxDelete: number): SyncWork {
  return { filterFile, maxDelete, inTheWay: planned.inTheWay };
}

/**
 * After a sync that looked at all files: uploads those too in which rclone saw no change, and looks for those that it
 * left out.
 */
async function withUnseen(run: Run, planned: Survey, syncs: Syncs): Promise<Syncs> {
  const { done, seen, failure } = syncs;
  const last = done.at(-1) ?? done[0];
  const whole = last.code === 0 || classify(run, last).outcome === "partial";
  if (failure !== undefined || !whole) return syncs;
  const { last: all, doubted } = await uploadUnseen(run, planned, seen, done, last);
  const withLast = (one: SyncOutcome): Done => (done.length === 1 ? [one] : [done[0], one]);
  if (all.code !== 0) return { ...syncs, done: withLast(all), doubted };
  const leftOut = await findLeftOut(run, planned.planned, seen, withLast(all));
  return {
    ...syncs,
    done: withLast(withLeftOut(all, leftOut)),
    doubted,
    leftOut,
  };
}

/**
 * Files vanish between the listing and the sync, and a destination may hold files that no manifest
 * knows; either makes rclone stop at its limit. A source may just as well have been unmounted. So
 * all is looked at anew, the guards judge the run as a whole, and if they have nothing against it
 * the sync is done with the number of deletions that was counted then, never without a limit.
 */
async function syncRecounted(run: Run, planned: Survey, first: SyncOutcome): Promise<Syncs> {
  run.session.world.events.detail(
    1,
    "more was to be deleted than planned: looking at the source again and counting at the destination",
  );
  try {
    const again = await surveyAgain(run, planned);
    const rest = again.planned.plan;
    const plan = planInAll(planned.planned.plan, first.deleted, rest);
    const against = objections(run, plan, first, again);
    if (against.length > 0)
      return { done: [first], seen: planned, failure: stoppedAtLimit(against.join("\n")) };
    const { files } = rest.deletes;
    const second = await sync(
      run,
      "recounted",
      workOf(again, deletionsFor(run, again, files)),
      again.listing,
      planned.planned,
    );
    return {
      done: [first, second],
      seen: { ...again, planned: { ...again.planned, plan } },
    };
  } catch (error) {
    if (!(error instanceof Failure) || error.outcome === "interrupted") throw error;
    return { done: [first], seen: planned, failure: stoppedAtLimit(error.message, error) };
  }
}

/** What speaks against the sync that is left to do. */
function objections(
  run: Run,
  plan: SyncPlan,
  first: SyncOutcome,
  { listing }: Survey,
): readonly string[] {
  const { guards } = run.session.backup;
  if (!listing.complete)
    return ["source: expected to read all of it again, found that some can't be"];
  // rclone does not tell the size of what it deletes.
  if (guards.maxDelete.kind === "bytes" && first.deleted > 0)
    return ["guards.max_delete: expected a number of bytes, found deleted files of unknown size"];
  return judge(plan, guards, "files", 0).findings.map(({ text }) => text);
}

function stoppedAtLimit(why: string | undefined, cause?: Failure): Failure {
  return failed(
    `rclone: expected no more deletions than planned, found more at the destination and stopped${why === undefined ? "" : `:\n${why}`}`,
    {
      hint: "see that all of the source is there; the next run counts at the destination, and its guards judge that number",
      cause,
    },
  );
}

function total(syncs: readonly SyncOutcome[], of: (sync: SyncOutcome) => number): number {
  return syncs.reduce((sum, one) => sum + of(one), 0);
}

function classify(run: Run, last: SyncOutcome): Failure {
  if (last.atLimit) return stoppedAtLimit(undefined);
  const { failures, failureCount, stats } = last;
  // Not rclone's transfers: some versions count those that failed.
  const someDone = (stats?.checks ?? 0) + last.copied.files > 0;
  if (failureCount === 0 || stats === undefined || stats.fatal || !someDone) {
    const list = failureCount === 0 ? "" : `\n${listFailures(failures, failureCount)}`;
    return failed(
      `rclone: expected a sync without errors, found exit code ${last.code}: ${last.lastError ?? "it told no reason"}${list}`,
      { hint: "mend what the reason names, and run the backup again" },
    );
  }
  return partial(run, failures, failureCount, last.deletesSuppressed);
}

function partial(
  run: Run,
  failures: readonly FileFailure[],
  count: number,
  suppressed: boolean,
): Failure {
  const before = run.record?.suppressed?.runs ?? 0;
  const inARow = before === 0 ? "" : ` (${before + 1} runs in a row now)`;
  const kept = suppressed
    ? `; as long as files fail, nothing is deleted at the destination${inARow}`
    : "";
  return new Failure(
    "partial",
    `${count} ${count === 1 ? "file or directory" : "files or directories"} failed, the rest is backed up${kept}:\n${listFailures(failures, count)}`,
    {
      hint: "mend what the reasons name (or filter these files out), and run the backup again",
    },
  );
}

const shown = 10;

function listFailures(failures: readonly FileFailure[], count: number): string {
  const lines = failures
    .slice(0, shown)
    .map(({ path, reason }) => `  ${textFromRaw(path)}: ${reason}`);
  if (count > shown) lines.push(`  … and ${count - shown} more (-v tells all)`);
  return lines.join("\n");
}

/** Writes the manifest, unless it stays true as it is. */
async function keepManifest(
  run: Run,
  planned: Survey,
  { done, seen, doubted }: Syncs,
  clean: boolean,
): Promise<Held> {
  const { plan } = planned.planned;
  const untouched = done.every(({ eventCount }) => eventCount === 0);
  const asHeld =
    plan.from === "manifest" &&
    plan.held.bytes !== undefined &&
    plan.adds.files + plan.changes.files + plan.deletes.files === 0;
  if (clean && untouched && asHeld && run.record?.trusted === true && seen.top === "files") {
    return { files: plan.held.files, bytes: plan.held.bytes, listing: seen.digest };
  }
  const before = clean || plan.from === "manifest" ? planned.planned.held : await lastKnown(run);
  let entries: Pages<Entry> = before();
  const rewritten = forgetting(run);
  let asListed = clean && done.length === 1 && seen.listing.complete;
  for (const [at, { events }] of done.entries()) {
    const last = at === done.length - 1;
    entries = outcome(
      entries,
      last ? readListing(seen.listing.file) : noPages(),
      events(),
      last && clean,
      () => (asListed = false),
      rewritten.add,
      doubted,
    );
  }
  const { session } = run;
  const totals = await writeManifest(
    run.files.manifest,
    {
      binding: binding(session),
      source: redactLocation(session.backup.source),
      destination: redactLocation(session.backup.destination),
      run: run.id,
      listedAt: seen.listedAt.toISOString(),
    },
    entries,
  );
  await rewritten.forget();
  // A manifest that began with nothing does not know all that a dry run counted.
  const files = clean ? totals.files : Math.max(totals.files, leastHeld(plan, done));
  return { ...totals, files, listing: asListed ? seen.digest : undefined };
}

/** The files that the destination holds at least, by the plan and by what was done. */
function leastHeld({ held, changes }: SyncPlan, done: readonly SyncOutcome[]): number {
  const added = total(done, ({ copied }) => copied.files) - changes.files;
  return held.files - total(done, ({ deleted }) => deleted) + Math.max(added, 0);
}
