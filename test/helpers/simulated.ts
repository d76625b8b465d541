import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { loadBackup } from "../../lib/config/load.ts";
import { Failure, type Outcome } from "../../lib/errors.ts";
import { backup } from "../../lib/jobs/backup.ts";
import type { Child, ChildWorld, Start } from "../../lib/jobs/nightly/child.ts";
import type { NightResult } from "../../lib/jobs/nightly/night.ts";
import { nightly } from "../../lib/jobs/nightly.ts";
import { openSession, type World } from "../../lib/jobs/session.ts";
import { suiteStatus } from "../../lib/jobs/status.ts";
import type { SuiteStatus } from "../../lib/jobs/status/value.ts";
import { verify } from "../../lib/jobs/verify.ts";
import { backupJson, verifyJson } from "../../lib/output/backupreport.ts";
import { parseConditions } from "../../lib/units/condition.ts";
import { makeSandbox, type Sandbox } from "./sandbox.ts";

/** Backups whose nights follow each other as fast as they can: the clock is ours, all else is real. */
export interface Simulation {
  readonly box: Sandbox;
  /** Goes on by a second whenever it is looked at. */
  readonly clock: { now: number };
  readonly warnings: string[];
  /** One `rclone-backups run`, with --due or without. */
  night: (due?: boolean) => Promise<NightResult>;
  status: () => Promise<SuiteStatus>;
  /** The state directory of a backup. */
  stateOf: (name: string) => Promise<string>;
  sourceOf: (name: string) => string;
  addBackup: (name: string, more?: string) => Promise<void>;
}

/** Makes a simulation that begins at a time and reads back so many bytes a day. */
export async function simulate(
  t: TestContext,
  begin: Date,
  settings: Readonly<Record<string, string>>,
): Promise<Simulation> {
  const box = await makeSandbox(t);
  const clock = { now: begin.getTime() };
  const warnings: string[] = [];
  const stop = new AbortController();
  const defaults = path.join(box.root, "defaults");
  await writeFile(
    defaults,
    Object.entries(settings)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  const world: World = {
    env: { ...box.env, RCLONE_BACKUPS_DEFAULTS: defaults },
    cwd: box.root,
    now: () => new Date((clock.now += 1000)),
    isRoot: false,
    signal: stop.signal,
    events: { warn: (text) => void warnings.push(text), detail: () => {}, progress: () => {} },
  };
  const sourceOf = (name: string): string => path.join(box.root, "sources", name);
  return {
    box,
    clock,
    warnings,
    night: (due = false) =>
      nightly(
        {
          ...{ names: [], set: [], passed: [], configDir: undefined, rcloneConfig: undefined },
          ...{ all: false, due, jobs: 2, dryRun: false, verify: true },
          start: inProcess(world),
          onLine: () => {},
          onResult: async () => {},
          onStatus: () => {},
          onWait: () => {},
        },
        world,
      ),
    status: () => suiteStatus({ names: [], configDir: undefined, set: [], runs: 1 }, world),
    stateOf: async (name) => {
      const parent = path.join(box.state, "backups");
      const found = (await readdir(parent)).find((each) => each.startsWith(`${name}-`));
      if (found === undefined) throw new Error(`no state of ${name}`);
      return path.join(parent, found);
    },
    sourceOf,
    addBackup: async (name, more = "") => {
      await mkdir(sourceOf(name), { recursive: true });
      await box.writeConfig(
        name,
        `[default]\nsource = ${sourceOf(name)}\ndestination = secret:${name}\n${more}`,
      );
    },
  };
}

/** rclone-backup without a process of its own, by the clock of the simulation. */
function inProcess(world: World): Start {
  return async (words, _child: ChildWorld, onStderr) => {
    try {
      const { outcome, document } = await command(words, world);
      // As through a pipe.
      return { outcome, document: JSON.parse(JSON.stringify(document)), lastLine: undefined };
    } catch (error) {
      return failureOf(error, onStderr);
    }
  };
}

async function command(
  words: readonly string[],
  world: World,
): Promise<{ outcome: Outcome; document: unknown }> {
  const file = words.at(-1) ?? "";
  const { backup: config } = await loadBackup(file, { env: world.env, set: [] });
  const session = await openSession(config, {}, world);
  const next = words.indexOf("--verify-next");
  const chosen = words.indexOf("--verify");
  if (next === -1 && chosen === -1) {
    const result = await backup(session, {
      dryRun: false,
      allowRefusedPlan: undefined,
    });
    return { outcome: result.outcome, document: backupJson(result) };
  }
  const most = words.indexOf("--max-transactions");
  const transactions = most === -1 ? Infinity : Number(words[most + 1]);
  const result = await verify(session, {
    conditions: parseConditions(chosen === -1 ? [] : [words[chosen + 1] ?? ""]),
    seed: 1,
    dryRun: false,
    next: next === -1 ? undefined : { bytes: Number(words[next + 1]), transactions },
  });
  return { outcome: result.outcome, document: verifyJson(result) };
}

function failureOf(error: unknown, onStderr: (line: string) => void): Child {
  const message = error instanceof Error ? error.message : String(error);
  const outcome = error instanceof Failure ? error.outcome : "failed";
  onStderr(message);
  return { outcome, document: { kind: "error", message }, lastLine: message };
}
