import { rm } from "node:fs/promises";
import { Failure, failed, type Outcome } from "../errors.ts";
import { PlanRefused } from "../guard/refusal.ts";
import { together } from "../process/together.ts";
import { lookForFiles } from "../rclone/listing.ts";
import { acquireLock } from "../state/lock.ts";
import { readRecord } from "../state/record.ts";
import { runId } from "../units/runid.ts";
import { failureCommand, postCommand, preCommand } from "./backup/commands.ts";
import { checkConditions } from "./backup/conditions.ts";
import { decide } from "./backup/decide.ts";
import { expire } from "./backup/expire.ts";
import { requireNotPaused } from "./backup/paused.ts";
import { checkRequired } from "./backup/required.ts";
import { lookAtSource, type SourceLook } from "./backup/source.ts";
import { requireSameMounts } from "./backup/steady.ts";
import { survey } from "./backup/survey.ts";
import { lookAtHistory, mendHistory, openHistory } from "./backup/history.ts";
import { mend, toMend } from "./backup/mend.ts";
import { refuseOverlaps } from "./backup/overlaps.ts";
import { keepRecord, openRecord, recordRunning } from "./backup/keep.ts";
import { refuseBlindChecksums } from "./backup/comparing.ts";
import { syncAsPlanned } from "./backup/synced.ts";
import type { BackupResult } from "./result.ts";
import { heldWithoutRecord } from "./backup/recorded.ts";
import type { Ending } from "./backup/ending.ts";
import type { BackupOptions, Run } from "./backup/run.ts";
import { announce, tellOutcome } from "./backup/runmanifests.ts";
import { historyOf } from "./history.ts";
import type { Session } from "./session.ts";
import { archiveSpecialFiles } from "./backup/specialfiles.ts";
import { lockFile, makeScratch, stateFiles } from "./statefiles.ts";

/**
 * One backup: lock, conditions, hooks, special files, guards, sync, manifest, result.
 * Returns the result of whatever happened under the lock; throws before it, with nothing changed
 * (skipped when another run holds the lock, usage when the settings can't be right).
 */
export async function backup(session: Session, options: BackupOptions): Promise<BackupResult> {
  const { world } = session;
  refuseBlindChecksums(session);
  const history = await historyOf(session);
  await refuseOverlaps(session, history);
  const lock = await acquireLock(await lockFile(session), {
    mode: "exclusive",
    command: `rclone-backup ${session.backup.name}`,
    signal: world.signal,
    now: world.now,
  });
  try {
    const files = await stateFiles(session);
    const { record, damaged } = await readRecord(files.record, { setAside: !options.dryRun });
    if (!options.dryRun) await requireNotPaused(session.backup.name, files);
    const startedAt = world.now();
    const number = (record?.lastNumber ?? 0) + 1;
    const heldBefore = record?.held ?? (await heldWithoutRecord(session, files));
    const run: Run = {
      session: { ...session, rclone: { ...session.rclone, lock: lock.fd } },
      options,
      files,
      record,
      heldBefore,
      kept: openRecord(session, record, number, heldBefore),
      history: history === undefined ? undefined : openHistory(history),
      id: runId(number, startedAt),
      number,
      startedAt,
      scratch: await makeScratch(files, true),
      warnings: [],
      told: [],
    };
    if (damaged !== undefined)
      world.events.warn(
        `state: expected JSON, found a damaged file; it is kept as ${damaged}, and what the destination holds is counted anew`,
      );
    try {
      return await underLock(run);
    } finally {
      await rm(run.scratch, { recursive: true, force: true });
    }
  } finally {
    await lock.release();
  }
}

async function underLock(run: Run): Promise<BackupResult> {
  const ending: Ending = { seen: undefined, synced: undefined, mended: 0, pruned: undefined };
  const pre = { begun: false };
  let failure: Failure | undefined;
  try {
    await steps(run, ending, () => {
      pre.begun = true;
    });
  } catch (error) {
    failure = asFailure(run, error);
  }
  const outcome: Outcome = failure?.outcome ?? "done";
  if (!run.options.dryRun) {
    if (outcome === "done") await postCommand(run);
    else if (outcome === "interrupted" ? pre.begun : outcome !== "skipped")
      await failureCommand(run, outcome, failure?.message ?? "");
  }
  const result = resultOf(run, ending, outcome, failure);
  if (run.options.dryRun) return result;
  await keepRecord(run, ending, result);
  if (result.result !== "success" || !run.session.backup.history.prune) return result;
  // Old versions go only after all of that is known to be good.
  try {
    ending.pruned = await expire(run);
  } catch (error) {
    // The record keeps what was good: only the removal was stopped.
    return resultOf(run, ending, "interrupted", asFailure(run, error));
  }
  if (run.warnings.length === 0) return { ...result, pruned: ending.pruned };
  const warned = resultOf(run, ending, outcome, failure);
  await keepRecord(run, ending, warned);
  return warned;
}

async function steps(run: Run, ending: Ending, preBegins: () => void): Promise<void> {
  await checkConditions(run);
  await checkRequired(run);
  const preRan = await preCommand(run, preBegins);
  run.options.onBegun?.();
  if (preRan) await checkRequired(run);
  const { rclone, destination, tuning, world } = run.session;
  // Both ends at once: one is work on the source's disk, the other questions to the destination.
  const [[there], look] = await together(
    together(lookForFiles(rclone, destination, tuning, world.signal), lookAtHistory(run)),
    archiveAndLook(run),
  );
  const mended = (await mendHistory(run)) > 0;
  const seen = await survey(run, mended ? { top: "files" } : there, look);
  ending.seen = seen;
  await decide(run, seen);
  await announce(run, seen);
  if (run.options.dryRun) {
    await run.options.onPlan?.(seen.planned.changes());
    return;
  }
  const damaged = await toMend(run, seen);
  await requireSameMounts(run, seen);
  await recordRunning(run, seen);
  ending.synced = await syncAsPlanned(run, seen);
  ending.seen = ending.synced.seen;
  const { failure, clean } = ending.synced;
  await tellOutcome(run, ending.synced);
  // One file that can't be read for months must not keep damaged ones from being mended.
  if (failure === undefined || failure.outcome === "partial")
    ending.mended = await mend(run, damaged, { clean });
  if (failure !== undefined) throw failure;
}

/** The archive is a file of the source, so it is written before the source is listed. */
async function archiveAndLook(run: Run): Promise<SourceLook> {
  await archiveSpecialFiles(run);
  return lookAtSource(run);
}

function asFailure(run: Run, error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (run.session.world.signal.aborted)
    return new Failure("interrupted", "stopped by a signal", { cause: error });
  return failed(error instanceof Error ? error.message : String(error), { cause: error });
}

function resultOf(
  run: Run,
  ending: Ending,
  outcome: Outcome,
  failure: Failure | undefined,
): BackupResult {
  const { synced } = ending;
  return {
    name: run.session.backup.name,
    run: run.id,
    result:
      outcome === "done"
        ? run.warnings.length > 0
          ? "warning"
          : "success"
        : outcome === "skipped"
          ? "skipped"
          : "failure",
    outcome,
    dryRun: run.options.dryRun,
    startedAt: run.startedAt.toISOString(),
    finishedAt: run.session.world.now().toISOString(),
    plan: ending.seen?.planned.plan,
    transferred: synced?.copied ?? { files: 0, bytes: 0 },
    deleted: synced?.deleted ?? 0,
    mended: ending.mended,
    pruned: ending.pruned,
    failures: synced?.failures ?? [],
    failureCount: synced?.failureCount ?? 0,
    warnings: run.warnings,
    message: failure?.message,
    hint: failure?.hint,
    refusedPlan: failure instanceof PlanRefused && !run.options.dryRun ? failure.plan : undefined,
  };
}
