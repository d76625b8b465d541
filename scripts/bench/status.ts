import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { runId } from "../../lib/units/runid.ts";
import { expectThat, median, sideBySide } from "./measure.ts";
import type { Options } from "./options.ts";
import { programOf, settle, type Place } from "./place.ts";
import { MB, memoryRow, row, type Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const backups = 500;
const runs = 60;
const day = 86_400_000;

/** `rclone-backups status` of hundreds of backups, and `node -e 0`. */
export async function statusCase(place: Place, options: Options): Promise<Row[]> {
  place.say(`writing configurations and state of ${backups} backups`);
  const config = path.join(place.root, "config", "status");
  const state = path.join(place.root, "status");
  await mkdir(config, { recursive: true });
  for (let at = 0; at < backups; at += 1) await writeBackup(config, state, at);
  const usedFile = path.join(place.scratch, "status.used");
  const args = ["status", "--config-dir", config] as const;
  const ours = watched(place, usedFile, programOf(place, "rclone-backups"), ...args);
  const status = { ...ours, env: { ...ours.env, RCLONE_BACKUPS_STATE: state } };
  const bare = { program: process.execPath, args: ["-e", "0"], env: place.env };
  await settle();
  place.say(`rclone-backups status of ${backups} backups, and node -e 0`);
  const peaks: number[] = [];
  const pairs = await sideBySide(place, options.runs, status, bare, async ({ output }) => {
    const last = (await readFile(output, "utf8")).trimEnd().split("\n").at(-1);
    expectThat(last === `${backups} backups: ${backups} good`, "all backups good", last);
    peaks.push((await readUsed(usedFile)).memory);
  });
  const what = `\`rclone-backups status\` of ${backups} backups; \`node -e 0\` beside it`;
  const common = { case: "status", rclone: null } as const;
  return [
    row(
      { ...common, what, unit: "elapsed", ...pairs, measured: median(pairs.ours) },
      { atMost: 0.5 },
    ),
    memoryRow({ ...common, what: "– its own peak memory" }, peaks, { atMost: 200 * MB }),
  ];
}

/** A backup that ran every night, with a schedule of its own hour and minute. */
async function writeBackup(config: string, state: string, at: number): Promise<void> {
  const name = `host${String(at).padStart(3, "0")}`;
  const file = path.join(config, `${name}.conf`);
  const [source, destination] = [`/srv/${name}`, `secret:${name}`];
  await writeFile(
    file,
    `[default]\nsource = ${source}\ndestination = ${destination}\n[schedule]\ncron = ${at % 60} ${at % 24} * * *\ntime_zone = Europe/Berlin\n[guards]\nmax_delete = 20%\n[filters]\n- /cache/**\n- *.o\n`,
  );
  const now = Date.now();
  const history = Array.from({ length: runs }, (_, back) => runBefore(now, runs - 1 - back));
  const last = history.at(-1);
  const key = createHash("sha256").update(name).digest("hex").slice(0, 16);
  const directory = path.join(state, "backups", `${name}-${key}`);
  await mkdir(directory, { recursive: true });
  const lines = history.map((run) => `${JSON.stringify(run)}\n`).join("");
  await writeFile(path.join(directory, "runs.ndjson"), lines);
  const record = {
    ...{ version: 1, name, config: file, source, destination, lastNumber: runs },
    ...{ trusted: true, held: 12_000, told: [] },
    last: { ...last, warnings: [] },
    good: { run: last?.run, finishedAt: last?.finishedAt, files: 12_000, bytes: 5e9 },
  };
  await writeFile(path.join(directory, "state.json"), JSON.stringify(record, undefined, 2));
  const days = Array.from({ length: 30 }, (_, back) => ({
    ...{ files: 300, bytes: 2e8 },
    day: new Date(now - (29 - back) * day).toISOString().slice(0, 10),
  }));
  const coverage = {
    ...{ version: 1, at: new Date(now).toISOString(), days },
    total: { files: 12_000, bytes: 7e9 },
    never: { files: 3000, bytes: 1e9 },
    begun: { files: 0, bytes: 0 },
    uncoverable: { files: 0, bytes: 0 },
  };
  await writeFile(path.join(directory, "coverage.json"), JSON.stringify(coverage, undefined, 2));
}

function runBefore(now: number, days: number): Record<string, unknown> {
  const finished = now - days * day - 3_600_000;
  const started = new Date(finished - 240_000);
  return {
    ...{ run: runId(runs - days, started), result: "success", exitCode: 0 },
    startedAt: started.toISOString(),
    finishedAt: new Date(finished).toISOString(),
    source: { files: 12_000, bytes: 5e9 - days * 1e7 },
    added: { files: 5, bytes: 1e7 },
    changed: { files: 3, bytes: 4e6 },
    deleted: { files: 1, bytes: 10 },
  };
}
