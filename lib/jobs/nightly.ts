import { join } from "node:path";
import pMap from "p-map";
import { loadAll, type FoundConfig } from "../config/all.ts";
import { Failure, firstOutcome, usage } from "../errors.ts";
import { privateDirectory, stateRoot } from "../state/directory.ts";
import type { Lock } from "../state/lock.ts";
import { loadSettings } from "../suite/settings.ts";
import { close, tellLasting, withProblem, type Night } from "./nightly/closing.ts";
import { chooseDue, holding, scheduledTime, type Times } from "./nightly/due.ts";
import { beforeAll } from "./nightly/hooks.ts";
import type { NightBackup, NightOptions, NightResult } from "./nightly/night.ts";
import { runOne } from "./nightly/one.ts";
import { Book } from "./nightly/book.ts";
import { asFailure } from "./nightly/keeper.ts";
import { Pings, endPing, startPing } from "./nightly/telling.ts";
import { readBack } from "./nightly/readback.ts";
import { takeRunLock } from "./nightly/runlock.ts";
import type { World } from "./session.ts";

/**
 * Runs all backups, or those that are due: several at once, each in a process of its own; then reads back
 * as much as the day's budget allows, and tells who wants to know. One that fails stops no other.
 * Throws a usage failure for wrong settings, for a name that means no file and where there is no
 * configuration at all; skipped while another run goes on that is not waited for, or where only what is due was
 * asked for, ends so without a word: that is asked again soon.
 */
export async function nightly(options: NightOptions, world: World): Promise<NightResult> {
  const { env, cwd, isRoot, events } = world;
  const { settings, warnings } = await loadSettings({ env, cwd });
  for (const warning of warnings) events.warn(warning);
  const { names, configDir, set } = options;
  const { looked, configs } = await loadAll(names, { configDir, env, set, leaveSecrets: true });
  if (configs.length === 0)
    throw usage(`expected configurations (NAME.conf), found none in ${looked.join(", ")}`, {
      hint: "rclone-backups init makes one; --config-dir names another directory",
    });
  const root = stateRoot(env, isRoot, env["HOME"] ?? "/");
  for (const directory of [root, join(root, "locks"), join(root, "suite")])
    await privateDirectory(directory);
  const night = { options, world, settings, configs, root };
  let lock: Lock;
  try {
    lock = await takeRunLock(root, options, world);
  } catch (error) {
    if (!(error instanceof Failure) || error.outcome !== "skipped" || options.dryRun) throw error;
    return lockedOut(night, error);
  }
  try {
    return await underLock(night);
  } finally {
    await lock.release();
  }
}

/** Another run is at work, which may have been for days. */
async function lockedOut(night: Night, problem: Failure): Promise<NightResult> {
  const { options, world, settings } = night;
  const at = world.now().toISOString();
  const result: NightResult = {
    ...{
      dryRun: false,
      startedAt: at,
      finishedAt: at,
      outcome: "skipped",
      backups: [],
      notDue: [],
    },
    verification: { budget: settings.verifyBudget, spentBefore: 0, spent: 0 },
    ...{ message: undefined, hint: undefined },
  };
  await tellLasting(night, result);
  if (!options.due) throw problem;
  world.events.detail(1, problem.message);
  return result;
}

async function underLock(night: Night): Promise<NightResult> {
  const { options, world, settings, configs, root } = night;
  const startedAt = world.now();
  const book = await Book.open(root, configs, world, { setAside: !options.dryRun });
  const times = await import("../schedule/times.ts");
  const { wanted, notDue } = chooseDue(configs, options, times, book.lastStart, startedAt);
  const pings = new Pings(world);
  const base = { dryRun: options.dryRun, startedAt: startedAt.toISOString() };
  const skippedNames = notDue.map(({ name }) => name);
  const nothing = { budget: settings.verifyBudget, spentBefore: 0, spent: 0 };
  let backups: readonly NightBackup[] = [];
  let verification = nothing;
  let whole: Failure | undefined;
  if (wanted.length > 0) {
    if (!options.dryRun && settings.canaryStart !== undefined)
      pings.send({ what: "CANARY_START", url: settings.canaryStart });
    try {
      if (!options.dryRun) await beforeAll(settings, world);
      backups = await runEach(night, wanted, { book, pings, times });
      if (options.verify && !options.dryRun)
        ({
          backups,
          verification,
          problem: whole,
        } = await readBack({ ...night, book }, wanted, backups));
    } catch (error) {
      whole = stoppedOr(error, world);
    }
  }
  const outcomes = backups.flatMap(({ outcome, verifications }) => [
    outcome,
    ...verifications.map((each) => each.outcome),
  ]);
  const ended: NightResult = {
    ...base,
    finishedAt: world.now().toISOString(),
    outcome: firstOutcome([...outcomes, ...(world.signal.aborted ? ["interrupted" as const] : [])]),
    backups,
    notDue: skippedNames,
    verification,
    message: undefined,
    hint: undefined,
  };
  const result = withProblem(ended, whole);
  if (options.dryRun) return result;
  return close(night, result, book, pings);
}

async function runEach(
  { options, world, settings }: Night,
  wanted: readonly FoundConfig[],
  { book, pings, times }: { book: Book; pings: Pings; times: Times },
): Promise<NightBackup[]> {
  let done = 0;
  const running = new Set<string>();
  // Nobody waits for the disk before the next one begins.
  const kept: Promise<void>[] = [];
  const tellStatus = (): void =>
    options.onStatus(`${done} of ${wanted.length} done, running: ${[...running].join(", ")}`);
  const results = await pMap(
    wanted,
    async (config) => {
      // Those that have not begun when the run is stopped are not begun.
      if (world.signal.aborted) return undefined;
      running.add(config.name);
      tellStatus();
      const ping = options.dryRun ? undefined : startPing(config);
      const onBegun = ping === undefined ? undefined : () => pings.send(ping);
      const scheduled = scheduledTime(config, times, world.now());
      const wasSkipped = scheduled !== undefined && book.skippedFor(config) === scheduled;
      // With -v one wants to see it.
      const isHeld = options.due && wasSkipped && !options.passed.includes("-v");
      const { onLine, release } = holding(options.onLine);
      const ended = await runOne(config, isHeld ? { ...options, onLine } : options, world, onBegun);
      const result = { ...ended, repeated: wasSkipped && ended.outcome === "skipped" };
      if (!result.repeated) release();
      running.delete(config.name);
      done += 1;
      tellStatus();
      if (!options.dryRun) {
        const endsWith = endPing(config, result);
        if (endsWith !== undefined) pings.send(endsWith);
        kept.push(book.keep(result, scheduled));
      }
      return result;
    },
    { concurrency: options.jobs ?? settings.jobs },
  );
  await Promise.all(kept);
  if (world.signal.aborted) options.onStatus("stopping");
  return results.filter((result) => result !== undefined);
}

function stoppedOr(error: unknown, { signal }: World): Failure {
  if (signal.aborted) return new Failure("interrupted", "stopped by a signal", { cause: error });
  return asFailure(error);
}
