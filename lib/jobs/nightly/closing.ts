import { access } from "node:fs/promises";
import { join } from "node:path";
import { loadAll, type FoundConfig } from "../../config/all.ts";
import { firstOutcome, type Failure } from "../../errors.ts";
import { liveHolders } from "../../state/holders.ts";
import type { Settings } from "../../suite/settings.ts";
import type { World } from "../session.ts";
import { suiteStatus } from "../status.ts";
import type { SuiteStatus } from "../status/value.ts";
import type { Book } from "./book.ts";
import { afterAll } from "./hooks.ts";
import { asFailure } from "./keeper.ts";
import type { NightBackup, NightOptions, NightResult } from "./night.ts";
import { canaryPing, tellAll, type Pings } from "./telling.ts";
import { whileTelling } from "./tellinglock.ts";

/** What a night is made of. */
export interface Night {
  readonly options: NightOptions;
  readonly world: World;
  readonly settings: Settings;
  readonly configs: readonly FoundConfig[];
  readonly root: string;
}

/** How long a run waits for one that tells what lasts, in milliseconds; then it doesn't. */
const tellingPatience = 120_000;

/** A run that goes on for so long may hang: then those that find it at work tell what lasts. */
const mayHangAfter = 6 * 3_600_000;

/**
 * What comes after the backups: the record, hooks, notices, and the canary when all that is known. None of
 * it changes how they ended; what can't be written down makes the run a failed one.
 */
export async function close(
  night: Night,
  result: NightResult,
  book: Book,
  pings: Pings,
): Promise<NightResult> {
  const { world, settings, configs, root } = night;
  const { events } = world;
  await book.close(result);
  let ended = withProblem(result, book.problem);
  const wasRun = ended.backups.length > 0 || ended.message !== undefined;
  if (wasRun) {
    const warning = await afterAll(settings, factsOf(ended), world);
    if (warning !== undefined) events.warn(warning);
  }
  let status: SuiteStatus | undefined;
  if (!world.signal.aborted) {
    const note = (error: unknown): undefined => {
      ended = withProblem(ended, asFailure(error));
    };
    status = await statusOf(night).catch(note);
    await whileTelling(root, tellingPatience, world, async () =>
      tellAll(ended, status, configs, settings, join(root, "suite"), world),
    ).catch(note);
  }
  if (wasRun) {
    const canary = canaryPing(settings, ended, status);
    if (canary !== undefined) pings.send(canary);
  }
  await pings.done();
  return ended;
}

/**
 * What a run does that finds another one at work: where that may hang, it tells what lasts in its place,
 * such as that a backup is overdue. Never throws.
 */
export async function tellLasting(night: Night, ended: NightResult): Promise<void> {
  const { world, settings, configs, root } = night;
  try {
    const [holder] = liveHolders(join(root, "locks", "run.lock"));
    const since = Date.parse(holder?.since ?? "");
    if (world.now().getTime() - since < mayHangAfter) return;
    const status = await statusOf(night);
    await whileTelling(root, 0, world, async () =>
      tellAll(ended, status, configs, settings, join(root, "suite"), world),
    );
  } catch (error) {
    world.events.warn(asFailure(error).message);
  }
}

/**
 * How all backups are: those of the directory, and those that were run from elsewhere. Undefined where
 * all configurations are gone by now.
 */
async function statusOf({ options, configs, world }: Night): Promise<SuiteStatus | undefined> {
  const { names, configDir, set } = options;
  const request = { configDir, set, runs: 1 };
  const there: string[] = [];
  for (const { file } of configs) if (await exists(file)) there.push(file);
  if (names.length === 0)
    return there.length === 0 ? undefined : suiteStatus({ ...request, names: [] }, world);
  const { env } = world;
  const { configs: present } = await loadAll([], { configDir, env, set, leaveSecrets: true });
  const files = new Set([...present.map(({ file }) => file), ...there]);
  return files.size === 0 ? undefined : suiteStatus({ ...request, names: [...files] }, world);
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

/** What keeps the whole run from being good; the first such is told. */
export function withProblem(night: NightResult, problem: Failure | undefined): NightResult {
  if (problem === undefined) return night;
  const { outcome, message = problem.message, hint } = night;
  return {
    ...night,
    outcome: firstOutcome([outcome, problem.outcome]),
    message,
    hint: night.message === undefined ? problem.hint : hint,
  };
}

/** The environment of AFTER_ALL. */
function factsOf({ outcome, backups }: NightResult): Record<string, string> {
  const named = (results: readonly NightBackup["result"][]): string =>
    backups
      .filter(({ result }) => results.includes(result))
      .map(({ name }) => name)
      .join(" ");
  return {
    BACKUPS_OUTCOME: outcome,
    BACKUPS_GOOD: named(["success", "warning"]),
    BACKUPS_FAILED: named(["failure"]),
    BACKUPS_SKIPPED: named(["skipped"]),
  };
}
