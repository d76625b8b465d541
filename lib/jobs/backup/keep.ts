import { rm } from "node:fs/promises";
import { exitCodes } from "../../errors.ts";
import { mountsWithFiles, type SourceMounts } from "../../guard/mounts.ts";
import type { Refusal } from "../../guard/refusal.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { redactLocation } from "../../rclone/location.ts";
import { writeAtomically } from "../../state/atomic.ts";
import { writeRecord, type BackupRecord, type RunRecord } from "../../state/record.ts";
import { appendRun } from "../../state/runs.ts";
import { rawFromText } from "../../units/rawpath.ts";
import { doubtAt, timesOf, timesOfRuns } from "../prune/clock.ts";
import type { Ending } from "./ending.ts";
import type { BackupResult } from "../result.ts";
import type { Run } from "./run.ts";
import type { Session } from "../session.ts";
import type { Survey } from "./survey.ts";
import type { Synced } from "./synced.ts";

/** The record as this run finds it, under the settings it runs with. */
export function openRecord(
  session: Session,
  before: BackupRecord | undefined,
  number: number,
  heldBefore: number,
): BackupRecord {
  const { backup, world } = session;
  const { clockDoubt: _, ...kept } = before ?? emptyRecord(heldBefore);
  const doubt = doubtAt(world.now(), timesOf(before));
  return {
    ...kept,
    ...(doubt === undefined ? {} : { clockDoubt: doubt }),
    name: backup.name,
    config: backup.file,
    source: redactLocation(backup.source),
    destination: redactLocation(backup.destination),
    lastNumber: number,
  };
}

function emptyRecord(
  held: number,
): Omit<BackupRecord, "name" | "config" | "source" | "destination" | "lastNumber"> {
  return { version: 1, trusted: false, held, told: [] };
}

/** Says, before the destination is changed, that it is about to be: a killed run leaves this behind. */
export async function recordRunning(run: Run, { planned }: Survey): Promise<void> {
  await update(run, {
    ...run.kept,
    // Where no record told, the plan's count does.
    held: Math.max(run.kept.held, planned.plan.held.files),
    running: { run: run.id, startedAt: run.startedAt.toISOString() },
  });
}

/** Remembers a refused plan for --allow-refused-plan. */
export async function keepRefusal(run: Run, refusal: Refusal): Promise<void> {
  await update(run, { ...run.kept, refused: { ...refusal, findings: [...refusal.findings] } });
}

/** Remembers how a run ended and what it left at the destination. */
export async function keepRecord(run: Run, ending: Ending, result: BackupResult): Promise<void> {
  const { running, ...kept } = run.kept;
  // A run that did not come as far as to look has nothing new to say.
  const told = ending.seen === undefined ? kept.told : run.told;
  const last = summary(result);
  const next = { ...kept, ...clockWithoutRecord(run), told, last };
  if (ending.synced !== undefined)
    await update(run, await afterSync(run, next, ending.synced, result));
  // The sync was begun and did not tell its end: what the destination holds must be counted.
  else await update(run, running === undefined ? next : { ...next, trusted: false });
  await keepFailures(run, result);
  await keepInHistory(run, last);
}

/** The history of runs is for looking at: a run is what it is without it. */
async function keepInHistory({ files, session }: Run, last: RunRecord): Promise<void> {
  try {
    await appendRun(files.runs, last);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    session.world.events.warn(`state: this run could not be added to ${files.runs}: ${why}`);
  }
}

/** Where the record is lost, the dated directories say when the run before this one was. */
function clockWithoutRecord({ record, history, startedAt }: Run): Pick<BackupRecord, "clockDoubt"> {
  if (record !== undefined || history === undefined) return {};
  const clockDoubt = doubtAt(startedAt, timesOfRuns(history.runs));
  return clockDoubt === undefined ? {} : { clockDoubt };
}

async function afterSync(
  run: Run,
  kept: BackupRecord,
  synced: Synced,
  { outcome }: BackupResult,
): Promise<BackupRecord> {
  const { suppressed, refused, ...rest } = kept;
  const held = synced.held.files;
  // After a clean sync files may be left out; anything else that went wrong came after it.
  if (!synced.clean || (outcome !== "done" && outcome !== "partial")) {
    const since = run.startedAt.toISOString();
    return {
      ...rest,
      ...(refused === undefined ? {} : { refused }),
      held,
      trusted: false,
      ...(synced.deletesSuppressed
        ? { suppressed: { runs: (suppressed?.runs ?? 0) + 1, since: suppressed?.since ?? since } }
        : {}),
    };
  }
  // An allowance is for one time: a good run uses it up.
  await rm(run.files.refused, { force: true });
  const mounts =
    synced.seen.mounts === undefined
      ? undefined
      : await withFiles(synced.seen.mounts, synced.seen.listing.file);
  return {
    ...rest,
    held,
    trusted: synced.seen.listing.complete,
    good: {
      run: run.id,
      finishedAt: run.session.world.now().toISOString(),
      files: synced.held.files,
      bytes: synced.held.bytes,
      ...(synced.held.listing === undefined ? {} : { listing: synced.held.listing }),
    },
    ...(mounts === undefined ? {} : { mounts }),
  };
}

/** Only mounts that hold files of the backup matter: a container's may come and go. */
async function withFiles(mounts: SourceMounts, listing: string): Promise<BackupRecord["mounts"]> {
  const used = new Set<string>();
  if (mounts.nested.length > 0) {
    for await (const page of readListing(listing)) {
      for (const { path } of page) {
        for (const { path: mount } of mounts.nested)
          if (path.startsWith(`${mount}/`)) used.add(mount);
      }
    }
  }
  const kept = mountsWithFiles(mounts, (path) => used.has(path));
  return {
    source: kept.source,
    nested: kept.nested.map(({ path, identity }) => ({ path, identity })),
  };
}

function summary(result: BackupResult): RunRecord {
  const { plan } = result;
  return {
    run: result.run,
    result: result.result,
    exitCode: exitCodes[result.outcome],
    startedAt: result.startedAt,
    finishedAt: result.finishedAt,
    ...(plan === undefined
      ? {}
      : { source: plan.source, added: plan.adds, changed: plan.changes, deleted: plan.deletes }),
    ...(result.message === undefined ? {} : { message: result.message }),
    warnings: [...result.warnings],
  };
}

async function keepFailures(run: Run, result: BackupResult): Promise<void> {
  await rm(run.files.failures, { force: true });
  if (result.failures.length === 0) return;
  const lines = result.failures.map(
    ({ path, reason }) => `${path}\t${rawFromText(reason.replaceAll("\n", " "))}\n`,
  );
  await writeAtomically(run.files.failures, Buffer.from(lines.join(""), "latin1"));
}

async function update(run: Run, record: BackupRecord): Promise<void> {
  run.kept = record;
  await writeRecord(run.files.record, record);
}
