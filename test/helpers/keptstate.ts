import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { suiteStatus, type StatusRequest } from "../../lib/jobs/status.ts";
import type { BackupStatus, SuiteStatus } from "../../lib/jobs/status/value.ts";
import type { BackupRecord } from "../../lib/state/record.ts";
import type { FinishedRun } from "../../lib/state/runs.ts";
import { runId } from "../../lib/units/runid.ts";

/** The moment of which a status is told. */
export const statusTime = new Date("2026-03-05T12:00:00Z");

const hour = 3_600_000;

/** What runs left behind, as a test says that it was. */
export interface KeptState {
  readonly record?: Partial<BackupRecord>;
  readonly runs?: readonly FinishedRun[];
  /** Further files of the backup's directory. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface StateDir {
  readonly config: string;
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes NAME.conf; source and destination are given unless the text has a [default]. */
  writeConfig: (name: string, text?: string) => Promise<string>;
  /** Writes the state of a backup and returns its directory. */
  writeState: (name: string, state: KeptState) => Promise<string>;
  /** Writes suite/NAME. */
  writeSuite: (name: string, value: unknown) => Promise<void>;
  status: (request?: Partial<StatusRequest>, now?: Date) => Promise<SuiteStatus>;
  /** The status of the one backup that there is. */
  only: (now?: Date) => Promise<BackupStatus>;
}

/** A finished run that ended so many hours before the status. */
export function runBefore(hours: number, more: Partial<FinishedRun> = {}): FinishedRun {
  const finished = new Date(statusTime.getTime() - hours * hour);
  const started = new Date(finished.getTime() - 90_000);
  return {
    run: runId(1000 - Math.round(hours), started),
    result: "success",
    exitCode: 0,
    startedAt: started.toISOString(),
    finishedAt: finished.toISOString(),
    source: { files: 10, bytes: 5000 },
    added: { files: 1, bytes: 100 },
    changed: { files: 0, bytes: 0 },
    deleted: { files: 2, bytes: 300 },
    ...more,
  };
}

/** What a record says after this run. */
export function lastWas(run: FinishedRun): Pick<BackupRecord, "last" | "good"> {
  const { run: id, finishedAt } = run;
  return {
    last: { ...run, warnings: [] },
    ...(run.exitCode === 0 ? { good: { run: id, finishedAt, files: 10, bytes: 5000 } } : {}),
  };
}

/** A configuration directory and a state directory without any backup. */
export async function makeStateDir(t: TestContext): Promise<StateDir> {
  const top = await mkdtemp(path.join(tmpdir(), "rclone-backups-status-"));
  t.after(async () => rm(top, { recursive: true, force: true }));
  const [config, root] = [path.join(top, "config"), path.join(top, "state")];
  await mkdir(config);
  const env = {
    HOME: top,
    PATH: "/nowhere",
    RCLONE_BACKUPS_DIR: config,
    RCLONE_BACKUPS_STATE: root,
    RCLONE_BACKUPS_DEFAULTS: path.join(top, "defaults"),
  };
  await writeFile(env.RCLONE_BACKUPS_DEFAULTS, "");
  const status: StateDir["status"] = async (request = {}, now = statusTime) =>
    suiteStatus(
      { names: [], configDir: undefined, set: [], runs: 60, ...request },
      { env, cwd: top, isRoot: false, now: () => now },
    );
  return {
    config,
    root,
    env,
    status,
    only: async (now) => {
      const [backup, second] = (await status({}, now)).backups;
      if (backup === undefined || second !== undefined) throw new Error("expected one backup");
      return backup;
    },
    writeConfig: async (name, text = "") => {
      const file = path.join(config, `${name}.conf`);
      const ends = `[default]\nsource = /srv/${name}\ndestination = secret:${name}\n`;
      await writeFile(file, text.includes("[default]") ? text : ends + text);
      return file;
    },
    writeState: async (name, { record, runs, files = {} }) => {
      const key = createHash("sha256").update(name).digest("hex").slice(0, 16);
      const directory = path.join(root, "backups", `${name}-${key}`);
      await mkdir(directory, { recursive: true });
      const whole: BackupRecord = {
        version: 1,
        name,
        config: path.join(config, `${name}.conf`),
        source: `/srv/${name}`,
        destination: `secret:${name}`,
        lastNumber: 1000,
        trusted: true,
        held: 10,
        told: [],
        ...record,
      };
      if (record !== undefined)
        await writeFile(path.join(directory, "state.json"), JSON.stringify(whole));
      if (runs !== undefined)
        await writeFile(
          path.join(directory, "runs.ndjson"),
          runs.map((run) => `${JSON.stringify(run)}\n`).join(""),
        );
      for (const [file, text] of Object.entries(files))
        await writeFile(path.join(directory, file), text);
      return directory;
    },
    writeSuite: async (name, value) => {
      await mkdir(path.join(root, "suite"), { recursive: true });
      const text = typeof value === "string" ? value : JSON.stringify(value);
      await writeFile(path.join(root, "suite", name), text);
    },
  };
}
