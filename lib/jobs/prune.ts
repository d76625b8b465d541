import { failed, type Failure, type Outcome } from "../errors.ts";
import { compilePattern, type Pattern } from "../history/pattern.ts";
import { apply, type Applied } from "../retention/apply.ts";
import { makeRetention, type Retention } from "../retention/match.ts";
import { redactLocation } from "../rclone/location.ts";
import { readRecord, writeRecord, type BackupRecord } from "../state/record.ts";
import { listRuns } from "../stores/dir/runs.ts";
import { formatFiles, formatVersions } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { heldWithoutRecord } from "./backup/recorded.ts";
import { historyOf } from "./history.ts";
import { withHistory, type OpenHistory } from "./openhistory.ts";
import { checkClock, timesOf, timesOfRuns, type RunTimes } from "./prune/clock.ts";
import { nothingSeen, type Seen } from "./prune/decide.ts";
import type { PruneOptions, PruneResult } from "./prune/options.ts";
import { planPrune } from "./prune/planned.ts";
import { cancelUnfinished, requireOurFiles, type Unfinished } from "./prune/unfinished.ts";
import type { Session } from "./session.ts";
import { requireNoPolicies } from "./unnamed.ts";

/**
 * Removes the versions that the policies no longer keep: decides on every file, remembers what the
 * store will no longer tell, and removes what was decided, each file's oldest first. A dry run makes
 * the same decisions and stops there.
 * Throws before anything is removed: refused when the clock can't be believed, usage when a policy
 * is wrong or the store keeps no versions, skipped while a backup runs.
 */
export async function prune(session: Session, options: PruneOptions): Promise<PruneResult> {
  const changes = isChange(options);
  if (options.unnamed !== undefined)
    await requireNoPolicies(session, options.unnamed, options.purge);
  return withHistory(
    session,
    { mode: "exclusive", command: "rclone-prune", needs: changes ? ["deleteFiles"] : [] },
    async (history) => {
      const { record } = await readRecord(history.files.record, { setAside: false });
      const times = record === undefined ? await timesFromRuns(history) : timesOf(record);
      const result = await pruneHistory(history, options, { record, times });
      if (changes && options.allowClock) await believeClock(history);
      return result;
    },
  );
}

/** Without a record the dated directories tell when the last run was. */
async function timesFromRuns({ session }: OpenHistory): Promise<RunTimes> {
  const place = await historyOf(session);
  if (place === undefined) return timesOf(undefined);
  const { rclone, tuning, world } = session;
  return timesOfRuns(await listRuns(rclone, place.location, tuning, world.signal));
}

/** Somebody has said that the clock is right: until now, whatever the next backup finds. */
async function believeClock({ files, session }: OpenHistory): Promise<void> {
  const { record } = await readRecord(files.record, { setAside: false });
  if (record === undefined) return;
  const { clockDoubt: _, ...rest } = record;
  await writeRecord(files.record, {
    ...rest,
    clockBelieved: session.world.now().toISOString(),
  });
}

/**
 * The same with a history that is open already. `record` and `times` are those of the last run: by them
 * the clock is judged.
 */
export async function pruneHistory(
  history: OpenHistory,
  options: PruneOptions,
  { record, times }: { readonly record: BackupRecord | undefined; readonly times: RunTimes },
): Promise<PruneResult> {
  const changes = isChange(options);
  const { session, store } = history;
  const { world, backup } = session;
  const stores = await store.now();
  if (!options.allowClock) checkClock(world.now(), stores, times);
  const now = stores ?? world.now();
  const retention = await makeRetention(backup);
  if (options.quietLines !== true) tellShadowed(session, retention);
  const explained = await Promise.all(options.explain.map((text) => compilePattern(text)));
  const seen = nothingSeen();
  const deciding = { options, retention, explained, now: now.getTime(), seen };
  const plan = options.files ? await planPrune(history, deciding, changes) : undefined;
  if (plan !== undefined && seen.versions + seen.undecodable === 0)
    await requireSomething(history, record);
  requireExplained(history, explained, seen);
  let applied: Applied | undefined;
  if (plan !== undefined && changes) {
    const destination = redactLocation(backup.destination);
    await plan.remember({ destination, prunedAt: now.toISOString() });
    applied = await apply(store, plan.removals(), {
      ...(options.maxFailures === undefined ? {} : { maxFailures: options.maxFailures }),
      ...(options.batch === undefined ? {} : { batch: options.batch }),
      signal: world.signal,
    });
    if (applied.stopped?.why === "error") {
      if (applied.removed > 0)
        world.events.warn(`removed ${formatVersions(applied.removed)} before the end: run again`);
      throw applied.stopped.error;
    }
  }
  const whole = applied?.stopped === undefined && !seen.more;
  const ranged = options.startAt !== undefined || options.stopAt !== undefined;
  const decided = options.files && !options.purge && options.explain.length === 0;
  if (options.quietLines !== true && decided && whole && !ranged) tellIdle(session, retention);
  let unfinished: Unfinished = { cancelled: 0, bytes: 0 };
  if (options.unfinished && options.explain.length === 0 && applied?.stopped === undefined) {
    if (!options.files) await requireOurFiles(history);
    unfinished = await cancelUnfinished(history, now.getTime(), changes);
  }
  const { problem, ...counted } = unfinished;
  // With nothing else to tell, it is the failure of the whole.
  if (problem !== undefined && !options.files && counted.cancelled === 0) throw problem;
  return {
    ...{ name: backup.name, dryRun: !changes, now: now.toISOString() },
    seen: { files: seen.files, versions: seen.versions },
    ...{ planned: seen.planned, applied, unfinished: counted, undecodable: seen.undecodable },
    ...{ more: seen.more, transactions: store.transactions },
    ...withProblem(ending(applied), problem),
  };
}

function isChange({ dryRun, explain }: PruneOptions): boolean {
  return !dryRun && explain.length === 0;
}

/** Nothing at all where a backup left files: a wrong password leads to a directory that isn't there. */
async function requireSomething(
  { store, session, files }: OpenHistory,
  record: BackupRecord | undefined,
): Promise<void> {
  const before = record?.held ?? (await heldWithoutRecord(session, files));
  if (before === 0) return;
  throw failed(`${store.place}: expected ${formatFiles(before)} as the last run left, found none`, {
    hint: "wrong password, or another place? nothing was removed",
  });
}

function requireExplained(
  { store }: OpenHistory,
  explained: readonly Pattern[],
  { matched }: Seen,
): void {
  const missed = explained.find((pattern) => !matched.has(pattern));
  if (missed === undefined) return;
  throw failed(`${store.place}: expected a file that ${missed.text} matches, found none`, {
    hint: "a path is a whole path from the top of the backup",
  });
}

function tellShadowed(session: Session, { shadowed }: Retention): void {
  for (const { line, by } of shadowed)
    session.world.events.warn(
      `${line.origin}: ${line.pattern} can never match: ${by.pattern} (${by.origin}) takes all of it`,
    );
}

function tellIdle(session: Session, retention: Retention): void {
  for (const { pattern, origin } of retention.idle())
    session.world.events.warn(`${origin}: ${pattern} matches no stored file`);
}

interface Ended {
  readonly outcome: Outcome;
  readonly message: string | undefined;
  readonly hint: string | undefined;
}

/** Unfinished uploads that could not be cancelled undo nothing of what was removed. */
function withProblem(ended: Ended, problem: Failure | undefined): Ended {
  if (problem === undefined) return ended;
  const text = `unfinished uploads could not all be cancelled: ${problem.message}`;
  return {
    outcome: problem.outcome === "interrupted" ? "interrupted" : "partial",
    message: ended.message === undefined ? text : `${ended.message}\n${text}`,
    hint: problem.hint ?? ended.hint ?? "run again, or leave them alone with --no-unfinished",
  };
}

function ending(applied: Applied | undefined): Ended {
  const fine = { outcome: "done", message: undefined, hint: undefined } as const;
  if (applied === undefined) return fine;
  const { failures, stopped } = applied;
  if (stopped?.why === "signal")
    return {
      outcome: "interrupted",
      message: "stopped by a signal; what was removed until then is consistent",
      hint: "run again to go on",
    };
  if (failures.length === 0) return fine;
  const lines = failures
    .slice(0, 10)
    .map(({ path, error }) => `  ${textFromRaw(path)}: ${error.message}`);
  if (failures.length > lines.length) lines.push(`  … and ${failures.length - lines.length} more`);
  return {
    outcome: "partial",
    message: `old versions of ${formatFiles(failures.length)} could not be removed${stopped?.why === "failures" ? ", and so it stopped" : ""}:\n${lines.join("\n")}`,
    hint: "mend what the reasons name, and run again",
  };
}
