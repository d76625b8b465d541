import { join } from "node:path";
import type { Backup } from "../config/backup.ts";
import { loadAll, type FoundConfig } from "../config/all.ts";
import { Failure, firstOutcome, usage } from "../errors.ts";
import { redactLocation } from "../rclone/location.ts";
import { stateRoot } from "../state/directory.ts";
import type * as ScheduleTimes from "../schedule/times.ts";
import { readSuite, type SuiteRecord } from "../suite/record.ts";
import { loadSettings } from "../suite/settings.ts";
import { parseRunId } from "../units/runid.ts";
import { allVerifiedBy, oldestProof, verifiedWithin, type Coverage } from "../verify/coverage.ts";
import {
  demandOf,
  paces,
  runsPerDay,
  withAllConfigured,
  type Demand,
  type Pace,
} from "./status/demand.ts";
import { judge } from "./status/judge.ts";
import { shownDestination, stateFinder } from "./status/match.ts";
import {
  keptDetails,
  keptLocks,
  keptStates,
  type KeptDetails,
  type KeptState,
} from "./status/states.ts";
import { unverifiedOf } from "./status/unverified.ts";
import type { BackupStatus, Remark, SuiteStatus, Verified } from "./status/value.ts";
import type { World } from "./session.ts";

export interface StatusRequest {
  /** Backups by name or file; all of the configuration directory when empty. */
  readonly names: readonly string[];
  readonly configDir: string | undefined;
  readonly set: readonly string[];
  /** How many of the newest runs are wanted of each. */
  readonly runs: number;
}

type StatusWorld = Pick<World, "env" | "cwd" | "isRoot" | "now">;

/**
 * How all backups are, from what their runs left behind: no rclone is started, nothing is locked and
 * nothing written. A configuration that can't be loaded is a backup of state `broken`.
 * Throws a usage failure for a name that means no file and where there is no configuration at all,
 * failed where the state may not be read.
 */
export async function suiteStatus(
  { names, configDir, set, runs: count }: StatusRequest,
  { env: given, cwd, isRoot, now }: StatusWorld,
): Promise<SuiteStatus> {
  // Each configuration goes through it, and the process's own is slow to go through.
  const env = { ...given };
  const root = stateRoot(env, isRoot, env["HOME"] ?? "/");
  const [{ looked, configs }, times, { suite, remarks }, budget] = await Promise.all([
    loadAll(names, { configDir, env, set, leaveSecrets: true }),
    import("../schedule/times.ts"),
    suiteRecord(root),
    dailyBudget({ env, cwd }),
  ]);
  if (configs.length === 0)
    throw usage(`expected configurations (NAME.conf), found none in ${looked.join(", ")}`, {
      hint: "rclone-backups init makes one; --config-dir names another directory",
    });
  const at = now();
  const all =
    names.length === 0
      ? configs
      : await withAllConfigured(configs, { configDir, env, set, leaveSecrets: true });
  const states = keptStates(root);
  const locks = keptLocks(root);
  const find = stateFinder(states, configs);
  const { total = { bytes: 0, transactions: 0 } } = budget;
  const pace = pacesOf(all, all === configs ? find : stateFinder(states, all), total);
  const scene = { now: at, times, suite, pace, isReadingOff: budget.total?.bytes === 0 };
  const backups: BackupStatus[] = [];
  // One after the other: nearly all of it is read synchronously.
  for (const config of configs) {
    const state = find(config);
    const details = state === undefined ? noDetails : await keptDetails(state, locks, count);
    backups.push(backupStatus(config, state, details, scene));
  }
  return {
    at: at.toISOString(),
    backups,
    run: suite.run,
    remarks: [...remarks, ...budget.remarks],
    outcome: firstOutcome(backups.map(({ outcome }) => outcome)),
  };
}

/** What the status of each backup is made with. */
interface Scene {
  readonly now: Date;
  readonly times: Pick<typeof ScheduleTimes, "nextTime" | "overdueSince" | "isDaily">;
  readonly suite: SuiteRecord;
  /** What the nightly verification reads of each backup, by the file of its configuration. */
  readonly pace: ReadonlyMap<string, Pace>;
  /** Whether the settings say that nothing is read back. */
  readonly isReadingOff: boolean;
}

const noDetails: KeptDetails = {
  runs: [],
  differences: [],
  paused: undefined,
  holder: undefined,
  coverage: undefined,
};

async function suiteRecord(root: string): Promise<{ suite: SuiteRecord; remarks: Remark[] }> {
  const file = join(root, "suite", "suite.json");
  const { suite, damaged } = await readSuite(file, { setAside: false });
  const text = `expected JSON in ${file}, found a damaged file`;
  const hint = "the next rclone-backups run sets it aside";
  return { suite, remarks: damaged === undefined ? [] : [{ kind: "state", text, hint }] };
}

/** What all backups together read back in a day; wrong settings are told, and then nobody knows. */
async function dailyBudget(
  options: Parameters<typeof loadSettings>[0],
): Promise<{ total: Demand | undefined; remarks: Remark[] }> {
  try {
    const { settings } = await loadSettings(options);
    const { verifyBudget: bytes, verifyTransactions: transactions = Infinity } = settings;
    return { total: { bytes, transactions }, remarks: [] };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message: text, hint } = error;
    return {
      total: undefined,
      remarks: [{ kind: "configuration", text, hint }],
    };
  }
}

function pacesOf(
  configs: readonly FoundConfig[],
  find: (config: FoundConfig) => KeptState | undefined,
  total: Demand,
): ReadonlyMap<string, Pace> {
  const demands = configs.map((config) => demandOf(config, find(config)?.record?.good));
  const each = paces(total, demands);
  return new Map(configs.map(({ file }, at) => [file, each[at] ?? { bytes: 0, files: 0 }]));
}

function backupStatus(
  config: FoundConfig,
  state: KeptState | undefined,
  details: KeptDetails,
  { now, times, suite, pace, isReadingOff }: Scene,
): BackupStatus {
  const { name, file, loaded, problem } = config;
  const record = state?.record;
  const backup = loaded?.backup;
  const schedule = scheduleOf(backup);
  const good = record?.good ?? goodOf(details.runs);
  const destination = backup === undefined ? record?.destination : shownDestination(backup);
  const last = record?.last ?? details.runs.at(-1);
  const startedAt = good === undefined ? undefined : goodStart(good);
  const attempt = suite.backups[file];
  const { firstAt } = attempt ?? {};
  const wanted = {
    next: !isReadingOff && demandOf(config, good).bytes > 0,
    hash: backup?.verify.hashEverySeconds !== undefined,
  };
  const firstTry = firstAt === undefined ? undefined : new Date(firstAt);
  return judge({
    name,
    file,
    problem,
    details,
    source: backup === undefined ? record?.source : redactLocation(backup.source),
    destination,
    last,
    warnings: record?.last?.warnings ?? [],
    good,
    runs: details.runs.length > 0 ? details.runs : last === undefined ? [] : [last],
    schedule,
    nextAt: schedule === undefined ? undefined : times.nextTime(schedule, now).toISOString(),
    overdueSince: times.overdueSince(schedule, startedAt ?? firstTry, now)?.toISOString(),
    attempt,
    unverified: attempt === undefined ? [] : unverifiedOf(attempt, details.coverage, wanted),
    guard: {
      refused:
        record?.refused === undefined
          ? undefined
          : {
              ...record.refused,
              findings: record.refused.findings.map(({ text }) => text),
              kinds: record.refused.findings.map(({ kind }) => kind),
            },
      suppressed: record?.suppressed,
      pausedSince:
        details.paused === undefined || details.paused === "damaged"
          ? undefined
          : details.paused.since,
      clockDoubt: record?.clockDoubt,
      trusted: record?.trusted,
    },
    verified:
      details.coverage === undefined
        ? undefined
        : verifiedOf(details.coverage, pace.get(file), now, () =>
            runsPerDay(
              schedule === undefined || times.isDaily(schedule)
                ? undefined
                : (after) => times.nextTime(schedule, after),
              now,
            ),
          ),
    neverReadSince:
      details.coverage === undefined && wanted.next && good !== undefined ? firstAt : undefined,
    begun: record?.running,
    damaged: state?.damaged ?? [],
    told: record?.told ?? [],
    before:
      record === undefined || record.destination === destination ? undefined : record.destination,
  });
}

function scheduleOf(backup: Backup | undefined): BackupStatus["schedule"] {
  const { cron, timeZone } = backup?.schedule ?? {};
  return cron === undefined ? undefined : { cron, timeZone };
}

/** The last good run of the history, where the record is lost. */
function goodOf(runs: KeptDetails["runs"]): BackupStatus["good"] {
  const last = runs.findLast(({ exitCode, source }) => exitCode === 0 && source !== undefined);
  if (last?.source === undefined) return undefined;
  return { run: last.run, finishedAt: last.finishedAt, ...last.source };
}

/** When the last good run began: its id tells, to the second. */
function goodStart({ run, finishedAt }: { run: string; finishedAt: string }): Date {
  return new Date(parseRunId(run)?.startedAt ?? finishedAt);
}

const spans = [1, 7, 30, 90];

function verifiedOf(
  coverage: Coverage,
  { bytes, files }: Pace = { bytes: 0, files: 0 },
  now: Date,
  runs: () => number,
): Verified {
  // What has nothing left to read needs no look at its schedule.
  const often = coverage.never.files === 0 ? 1 : runs();
  const { total, never, uncoverable, hash } = coverage;
  return {
    ...{ total, never, uncoverable },
    within: spans.map((days) => ({ days, ...verifiedWithin(coverage, days, now) })),
    all: allVerifiedBy(coverage, bytes * often, now, files * often),
    oldest: oldestProof(coverage),
    hashAt: hash?.at,
  };
}
