import { hostname } from "node:os";
import { loadAll, type FoundConfig } from "../config/all.ts";
import { firstOutcome, usage, type Outcome } from "../errors.ts";
import { lookAtChannels } from "../notices/look.ts";
import { redactLocation } from "../rclone/location.ts";
import { loadSettings } from "../suite/settings.ts";
import { refuseOverlaps } from "./backup/overlaps.ts";
import { historyOf } from "./history.ts";
import { localPath, openSession, type Session, type World } from "./session.ts";
import { checkDestinationEnd, checkSourceEnd } from "./validate/ends.ts";
import { findingOf, warning, type Check, type Finding, type Level } from "./validate/finding.ts";
import { checkCommands, commandsOf } from "./validate/hooks.ts";
import { checkNames } from "./validate/names.ts";
import { checkSchedule } from "./validate/schedule.ts";
import { checkDestinationRoom, checkState } from "./validate/space.ts";
import { checkStore } from "./validate/store.ts";
import { withinTime, type CheckStep } from "./validate/within.ts";

export interface ValidateRequest {
  /** Backups by name or file; all of the configuration directory when empty. */
  readonly names: readonly string[];
  readonly configDir: string | undefined;
  readonly set: readonly string[];
  readonly rcloneConfig: string | undefined;
  /** Milliseconds for all that is asked about one backup. */
  readonly limit?: number;
}

/** What was found out about one backup. */
export interface Validated {
  readonly name: string;
  readonly file: string;
  /** Redacted; undefined where the configuration can't be loaded. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** The version of its rclone. */
  readonly rclone: string | undefined;
  readonly findings: readonly Finding[];
}

export interface Validation {
  readonly backups: readonly Validated[];
  /** What concerns all of them. */
  readonly findings: readonly Finding[];
  /** usage where something is wrong, else failed where something can't be reached, else done. */
  readonly outcome: Outcome;
}

const patience = 30_000;

/** rclones at once: each takes a processor while it starts. */
const atOnce = 8;

/**
 * Looks at all configurations and at what they mean: rclone, both ends, keys, clocks, names, room,
 * schedules, notices and hooks. Nothing is written, locked or run but `command:` secrets.
 * Throws a usage failure for a name that means no file, and where there is no configuration at all.
 */
export async function validate(request: ValidateRequest, world: World): Promise<Validation> {
  const { names, configDir, set } = request;
  const { looked, configs } = await loadAll(names, { configDir, env: world.env, set });
  if (configs.length === 0)
    throw usage(`expected configurations (NAME.conf), found none in ${looked.join(", ")}`, {
      hint: "rclone-backups init makes one; --config-dir names another directory",
    });
  const told = new Set<string>();
  const { default: pMap } = await import("p-map");
  const [backups, general] = await Promise.all([
    pMap(configs, async (config) => validateOne(config, request, quiet(world, told)), {
      concurrency: atOnce,
    }),
    checkWhole(world),
  ]);
  const warned = [...told].map((text) => warning("settings", text, "it concerns all backups"));
  const findings = [...general, ...warned];
  const all = [...findings, ...backups.flatMap((backup) => backup.findings)];
  return { backups, findings, outcome: firstOutcome(all.map(outcomeOf)) };
}

function outcomeOf({ level }: Finding): Outcome {
  return level === "error" ? "usage" : level === "unreachable" ? "failed" : "done";
}

/** What every session warns of is told once. */
function quiet(world: World, told: Set<string>): World {
  const events = { ...world.events, warn: (text: string) => void told.add(text) };
  return { ...world, events };
}

/** Settings of the whole, and the state directory. */
async function checkWhole(world: World): Promise<Finding[]> {
  const findings = await checkState(world);
  try {
    const { settings, warnings } = await loadSettings({ env: world.env, cwd: world.cwd });
    const hint = "correct it, or remove the line";
    findings.push(...warnings.map((text) => warning("settings", text, hint)));
    const commands = [
      ["BEFORE_ALL", settings.beforeAll],
      ["AFTER_ALL", settings.afterAll],
      ["NOTIFY_COMMAND", settings.notify.command],
    ] as const;
    findings.push(...(await checkCommands(commands, world)));
    const noticeWorld = { env: world.env, hostname: hostname() };
    const failures = await lookAtChannels(settings.notify, noticeWorld, world.signal);
    findings.push(...failures.map((failure) => findingOf("notify", failure, "error")));
  } catch (error) {
    findings.push(findingOf("settings", error));
  }
  return findings;
}

async function validateOne(
  { name, file, loaded, problem }: FoundConfig,
  request: ValidateRequest,
  world: World,
): Promise<Validated> {
  const unknown = { name, file, source: undefined, destination: undefined, rclone: undefined };
  if (loaded === undefined)
    return { ...unknown, findings: [findingOf("configuration", problem, "error")] };
  const { backup } = loaded;
  const facts = {
    ...unknown,
    source: redactLocation(backup.source),
    destination: redactLocation(backup.destination),
  };
  const limit = request.limit ?? patience;
  const late = AbortSignal.timeout(limit);
  const bounded = { ...world, signal: AbortSignal.any([world.signal, late]) };
  const guarded = (check: Check, act: CheckStep, level?: Level): Promise<readonly Finding[]> =>
    withinTime({ check, act, level, late, limit, signal: world.signal });
  let session: Session | undefined;
  const open: CheckStep = async () => {
    session = await openSession(backup, { rcloneConfig: request.rcloneConfig }, bounded);
    return [];
  };
  // Without rclone nothing more can be said: that it is missing is an error.
  const opening = await guarded("rclone", open, "error");
  const offline = [
    guarded("schedule", async () => checkSchedule(backup.schedule, world.now())),
    guarded("hooks", async () => checkCommands(commandsOf(backup), bounded)),
    guarded("notify", async () => {
      const noticeWorld = { env: world.env, hostname: hostname() };
      const failures = await lookAtChannels(backup.notify, noticeWorld, bounded.signal);
      return failures.map((failure) => findingOf("notify", failure, "error"));
    }),
  ];
  const online =
    session === undefined ? [] : checksOf(session).map(([check, act]) => guarded(check, act));
  const findings = (await Promise.all([...online, ...offline])).flat();
  return { ...facts, rclone: session?.features.version, findings: [...opening, ...findings] };
}

/** What is asked about a backup, in the order in which it is told. */
function checksOf(session: Session): [Check, CheckStep][] {
  const local = localPath(session.destinationPlace);
  return [
    ["source", async () => checkSourceEnd(session)],
    ["destination", async () => checkDestinationEnd(session)],
    ["destination", async () => checkOverlaps(session)],
    ["history", async () => checkStore(session)],
    ["names", async () => checkNames(session)],
    ["space", async () => (local === undefined ? [] : checkDestinationRoom(local))],
  ];
}

async function checkOverlaps(session: Session): Promise<readonly Finding[]> {
  await refuseOverlaps(session, await historyOf(session));
  return [];
}
