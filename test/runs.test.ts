import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { appendRun, readRuns } from "../lib/state/runs.ts";
import { readSuite, writeSuite, type SuiteRecord } from "../lib/suite/record.ts";
import { runBefore } from "./helpers/keptstate.ts";

/* The files of small records: the history of a backup's runs, and what is remembered of all backups. */

async function place(t: TestContext): Promise<(name: string) => string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-runs-"));
  t.after(async () => rm(directory, { recursive: true }));
  return (name) => path.join(directory, name);
}

test("runs are read in their order, the newest few", async (t) => {
  const file = (await place(t))("runs.ndjson");
  assert.deepEqual(readRuns(file, 10), []);
  const runs = [30, 20, 10].map((hours) => runBefore(hours));
  for (const run of runs) await appendRun(file, run);
  assert.deepEqual(readRuns(file, 10), runs);
  assert.deepEqual(readRuns(file, 2), runs.slice(1));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test("a torn line and one that makes no sense are passed over, and spoil nothing", async (t) => {
  const file = (await place(t))("runs.ndjson");
  const [first, second] = [runBefore(20), runBefore(10)];
  await appendRun(file, first);
  await appendFile(file, '{"run":"x"}\nnonsense\n{"run":"000002-2026');
  assert.deepEqual(readRuns(file, 10), [first]);
  await appendRun(file, second);
  assert.deepEqual(readRuns(file, 10), [first, second]);
});

test("of two lines of one run the later counts; warnings are left out, long messages cut", async (t) => {
  const file = (await place(t))("runs.ndjson");
  const run = runBefore(20);
  await appendRun(file, run);
  const later = { ...run, result: "warning" as const, message: "m".repeat(5000), warnings: ["w"] };
  await appendRun(file, later);
  const [only, more] = readRuns(file, 10);
  assert.equal(more, undefined);
  assert.deepEqual([only?.result, only?.message?.length], ["warning", 501]);
  assert.ok(!(await readFile(file, "utf8")).includes("warnings"));
});

test("a large history is trimmed to the newest 400, and the newest are found in it", async (t) => {
  const file = (await place(t))("runs.ndjson");
  const runs = Array.from({ length: 1200 }, (_, at) => runBefore(1300 - at));
  await writeFile(file, runs.map((run) => `${JSON.stringify(run)}\n`).join(""));
  assert.deepEqual(readRuns(file, 60), runs.slice(-60));
  assert.equal(readRuns(file, 5000).length, 1200);
  const last = runBefore(1);
  await appendRun(file, last);
  assert.deepEqual(readRuns(file, 5000), [...runs.slice(-399), last]);
});

test("suite.json: written whole, read back, a damaged one set aside only on request", async (t) => {
  const file = (await place(t))("suite.json");
  const empty = { version: 1, backups: {} };
  assert.deepEqual(await readSuite(file, { setAside: true }), { suite: empty, damaged: undefined });
  const suite: SuiteRecord = {
    version: 1,
    backups: {
      "/etc/rclone-backups/x.conf": {
        name: "x",
        attemptedAt: "2026-03-05T03:00:00Z",
        outcome: "skipped",
        message: "no network",
        skippedRuns: 2,
      },
    },
    run: {
      startedAt: "2026-03-05T03:00:00Z",
      finishedAt: "2026-03-05T04:00:00Z",
      outcome: "partial",
    },
  };
  await writeSuite(file, suite);
  assert.deepEqual((await readSuite(file, { setAside: true })).suite, suite);
  for (const text of ["{", '{"version":2}', JSON.stringify({ ...suite, run: { outcome: "x" } })]) {
    await writeFile(file, text);
    const looked = await readSuite(file, { setAside: false });
    assert.deepEqual(looked, { suite: empty, damaged: file });
    const taken = await readSuite(file, { setAside: true });
    assert.deepEqual(taken, { suite: empty, damaged: `${file}.damaged` });
    assert.equal(await readFile(`${file}.damaged`, "utf8"), text);
  }
});
