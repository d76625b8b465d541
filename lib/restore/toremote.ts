import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Entry } from "../manifest/entry.ts";
import { readListing } from "../manifest/listingfile.ts";
import { merge, noPages, type Pages } from "../manifest/pages.ts";
import { LineSpool } from "../process/spool.ts";
import { listFiles, LocationMissing } from "../rclone/listing.ts";
import { remoteFeatures, type RemoteFeatures } from "../rclone/remotefeatures.ts";
import type { RawPath } from "../units/rawpath.ts";
import {
  BulkLists,
  copyFiles,
  isChecked,
  reasonFor,
  type BulkSource,
  type Reasons,
} from "./bulk.ts";
import { fetchPage } from "./fetch.ts";
import { alreadyThere, systemPath } from "./local.ts";
import { sameModified, withTimes } from "./looks.ts";
import type { PlannedFile } from "./plan.ts";
import { whyRefused } from "./refusal.ts";
import { PlanSpool } from "./spool.ts";
import type { RestoreWork } from "./work.ts";

/** So many bytes are kept on this machine at once, on their way; a single larger file needs its size. */
const batchBytes = 256 * 1024 * 1024;
const batchFiles = 1000;

/**
 * Writes what examineRemote found to be done to a place that rclone writes to. What rclone can copy goes there
 * directly, the rest by way of the scratch directory. Every file is then looked at in a listing. What
 * fails is in the tally. Throws when going on makes no sense; run again, it goes on.
 */
export async function restoreToRemote(
  work: RestoreWork,
  todo: PlanSpool,
  { location: destination, same }: RemoteTarget,
): Promise<void> {
  const { reasons, checked } = await copyAll(work, todo, destination);
  const failed = new Set(work.tally.failures.map(({ path }) => path));
  const found = await listing(work, destination, todo.read(), "found");
  for await (const page of merge(keyed(todo.read()), found)) {
    for (const [wanted, entry] of page) {
      if (wanted === undefined || failed.has(wanted.planned.path)) continue;
      const { planned } = wanted;
      const bad = reasonFor(reasons, planned.target);
      if (bad === undefined && entry !== undefined && (await same(entry, planned)))
        work.tally.written(planned, checked.has(planned.target) || isBulk(work, planned));
      else
        work.tally.fail(
          planned.path,
          bad ??
            reasons.get("") ??
            (entry === undefined
              ? "expected it at the target after the copy, found nothing"
              : `expected ${planned.version.size} bytes at the target after the copy, found ${entry.size} of ${entry.time}`),
        );
    }
  }
}

/** Whether rclone copied a file whose content it held against a checksum. */
function isBulk(work: RestoreWork, planned: PlannedFile): boolean {
  return bulkOf(work, planned) !== undefined && isChecked(work, planned);
}

/**
 * Says which files have to be written to a place: not those that are there already, nor those that
 * can't be put there, which the tally is told of. Changes nothing.
 */
export async function examineRemote(
  work: RestoreWork,
  { location: destination, same }: RemoteTarget,
): Promise<PlanSpool> {
  // In the order of the targets, as listings are.
  const sorted = await work.plan.sorted(work.scratch, work.signal);
  const todo = new PlanSpool(join(work.scratch, "todo"));
  const proper = new PlanSpool(join(work.scratch, "proper"));
  for await (const page of sorted) {
    for (const planned of page) {
      const why = whyRefused(planned.target);
      if (why === undefined) proper.write(planned);
      else work.tally.fail(planned.path, why);
    }
  }
  proper.close();
  const there = await listing(work, destination, proper.read(), "there");
  for await (const page of merge(keyed(proper.read()), there)) {
    for (const [wanted, entry] of page) {
      if (wanted === undefined) continue;
      const [planned = wanted.planned] = await withTimes(work, [wanted.planned], () => entry?.size);
      if (entry === undefined) todo.write(planned);
      else if (await same(entry, planned, !work.overwrite)) work.tally.already.add(planned);
      else if (work.overwrite) todo.write(planned);
      else work.tally.fail(planned.path, alreadyThere);
    }
  }
  todo.close();
  return todo;
}

/** What of the planned files the target holds, sorted. */
async function listing(
  work: RestoreWork,
  location: string,
  wanted: Pages<PlannedFile>,
  name: string,
): Promise<Pages<Entry>> {
  const list = new LineSpool(join(work.scratch, `${name}.list`));
  for await (const page of wanted) for (const { target } of page) list.write(target);
  list.close();
  try {
    const { file } = await listFiles(work.rclone, work.features, work.tuning, {
      ...{ location, filterFile: undefined, filesFrom: list.file },
      output: join(work.scratch, name),
      scratch: work.scratch,
      signal: work.signal,
      what: "target",
    });
    return readListing(file);
  } catch (error) {
    if (error instanceof LocationMissing) return noPages();
    throw error;
  }
}

interface Copied {
  readonly reasons: Reasons;
  /** Targets of files whose stored bytes had the provider's checksum. */
  readonly checked: ReadonlySet<RawPath>;
}

async function copyAll(work: RestoreWork, todo: PlanSpool, destination: string): Promise<Copied> {
  const lists = new BulkLists(work.scratch);
  for await (const page of todo.read()) {
    for (const planned of page) {
      const source = bulkOf(work, planned);
      if (source !== undefined) lists.add(source, planned);
    }
  }
  const copy = async (source: BulkSource, list?: string, anew = false): Promise<Reasons> =>
    copyFiles(work.rclone, work.tuning, {
      ...{ source, list, destination, anew, signal: work.signal },
      keepExisting: !work.overwrite && !anew,
      onStats: (stats) => {
        work.events.progress({
          ...{ stage: "restoring", doneFiles: stats.transfers, doneBytes: stats.bytes },
          ...{ totalFiles: todo.files, totalBytes: todo.bytes },
          ...{ rate: stats.speed > 0 ? stats.speed : undefined, etaSeconds: stats.etaSeconds },
        });
      },
    });
  const copies = lists.close();
  const whole = work.whole && copies.length === 1 && todo.files === work.plan.files;
  const bulkReasons = new Map<string, string>();
  for (const { source, list } of copies)
    for (const [path, reason] of await copy(source, whole ? undefined : list))
      bulkReasons.set(path, reason);
  // What rclone complained of may lie there all the same, and is replaced.
  const byHand = new PlanSpool(join(work.scratch, "by-hand"));
  for await (const page of todo.read()) {
    for (const planned of page)
      if (bulkOf(work, planned) === undefined || reasonFor(bulkReasons, planned.path) !== undefined)
        byHand.write(planned);
  }
  byHand.close();
  const checked = new Set<RawPath>();
  const reasons = new Map<string, string>();
  const onFetched = ({ target }: PlannedFile, proved: boolean): void => {
    if (proved) checked.add(target);
  };
  for await (const batch of batches(byHand)) {
    const files = join(work.scratch, "batch");
    await mkdir(files, { recursive: true });
    const into = systemPath(files);
    await fetchPage({ work, parts: work.scratch, into, onFetched, total: byHand }, batch);
    for (const [path, reason] of await copy({ location: files, env: {} }, undefined, true))
      reasons.set(path, reason);
    await rm(files, { recursive: true, force: true });
  }
  return { reasons, checked };
}

/** Where rclone copies a file from: it gives none another name. */
function bulkOf(work: RestoreWork, planned: PlannedFile): BulkSource | undefined {
  return planned.path === planned.target ? work.bulk(planned) : undefined;
}

/** Pages of a bounded number of bytes, so that few are on this machine at once. */
async function* batches(files: PlanSpool): Pages<PlannedFile> {
  let batch: PlannedFile[] = [];
  let bytes = 0;
  for await (const page of files.read()) {
    for (const planned of page) {
      const { size } = planned.version;
      if (batch.length > 0 && (bytes + size > batchBytes || batch.length >= batchFiles)) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(planned);
      bytes += size;
    }
  }
  if (batch.length > 0) yield batch;
}

async function* keyed(
  plan: Pages<PlannedFile>,
): Pages<{ readonly path: RawPath; readonly planned: PlannedFile }> {
  for await (const page of plan) yield page.map((planned) => ({ path: planned.target, planned }));
}

/** Whether an entry of the target's listing may be of a version; with `bySize` false, only by its time too. */
type Comparison = (entry: Entry, planned: PlannedFile, bySize?: boolean) => Promise<boolean>;

/** A place that rclone writes to. */
export interface RemoteTarget {
  readonly location: string;
  readonly same: Comparison;
}

/**
 * A target whose files are compared by size and, where both are known, time, as exactly as it keeps them. A remote
 * that keeps no times shows those of the upload: there the size alone has to do, which is told once. It is asked
 * where it matters.
 */
export function remoteTarget(work: RestoreWork, location: string): RemoteTarget {
  const ask = async (): Promise<Pick<RemoteFeatures, "keepsTimes" | "timeStep">> => {
    const { rclone, tuning, signal, events } = work;
    const told = await remoteFeatures(rclone, location, tuning, signal);
    if (typeof told === "string") return { keepsTimes: true, timeStep: 1 };
    if (!told.keepsTimes)
      events.warn(
        "the target keeps no modification times: files there have those of their upload, and were compared by size only",
      );
    return told;
  };
  let told: ReturnType<typeof ask> | undefined;
  const same: Comparison = async (entry, { version }, bySize = true) => {
    if (entry.size !== version.size) return false;
    const { modifiedAt } = version.stored;
    const time = Date.parse(entry.time);
    if (modifiedAt === undefined || sameModified(time, modifiedAt)) return true;
    told ??= ask();
    const { keepsTimes, timeStep } = await told;
    return keepsTimes ? Math.abs(time - modifiedAt) < timeStep : bySize;
  };
  return { location, same };
}
