import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { Outcome } from "../lib/errors.ts";
import { firstOutcome } from "../lib/errors.ts";
import type { BackupState, BackupStatus } from "../lib/jobs/status/value.ts";
import { processStart } from "../lib/state/process.ts";
import { failureOf } from "./helpers/config-dir.ts";
import {
  lastWas,
  makeStateDir,
  runBefore,
  statusTime,
  type KeptState,
  type StateDir,
} from "./helpers/keptstate.ts";

/* How a backup is judged by what its runs left behind. */

function textOf({ remarks }: BackupStatus): string {
  return remarks.map(({ text, hint }) => `${text} | ${hint ?? ""}`).join("\n");
}

const failing = runBefore(5, { result: "failure", exitCode: 1, message: "the disk is full" });
const good = lastWas(runBefore(20));

interface Case {
  readonly what: string;
  readonly state: BackupState;
  readonly outcome: Outcome;
  readonly kept?: KeptState;
  readonly config?: string;
  readonly says?: RegExp;
}

const cases: readonly Case[] = [
  { what: "a good run", kept: { record: good }, state: "good", outcome: "done" },
  {
    what: "none ever",
    state: "never",
    outcome: "failed",
    says: /it never ran \| rclone-backup \/.*\/x\.conf$/,
  },
  {
    what: "a warning",
    kept: {
      record: {
        ...good,
        last: { ...runBefore(2, { result: "warning" }), warnings: ["post_command failed"] },
      },
    },
    state: "warning",
    outcome: "done",
    says: /post_command failed/,
  },
  {
    what: "a failure",
    kept: { record: { ...good, last: { ...failing, warnings: [] } } },
    state: "failed",
    outcome: "failed",
    says: /the disk is full/,
  },
  {
    what: "an interrupted run",
    kept: { record: { ...good, ...lastWas(runBefore(1, { result: "failure", exitCode: 130 })) } },
    state: "failed",
    outcome: "failed",
    says: /ended with 130/,
  },
  {
    what: "some files that failed, and deletions held back",
    kept: {
      record: {
        ...good,
        ...lastWas(runBefore(1, { result: "failure", exitCode: 3, message: "2 files" })),
        suppressed: { runs: 4, since: "2026-03-01T00:00:00Z" },
      },
    },
    state: "partial",
    outcome: "partial",
    says: /2 files[^]*nothing was deleted for 4 runs in a row, since 2026-03-01/,
  },
  {
    what: "a refused plan",
    kept: {
      record: {
        ...good,
        ...lastWas(runBefore(1, { result: "failure", exitCode: 5, message: "too many" })),
        refused: {
          id: "f1753cb9bc33",
          at: "2026-03-05T11:00:00Z",
          findings: [{ kind: "max-delete", text: "found 80%" }],
        },
      },
    },
    state: "refused",
    outcome: "refused",
    says: /found 80% \| .*rclone-backup --allow-refused-plan f1753cb9bc33 \/.*\/x\.conf$/,
  },
  {
    what: "another refusal",
    kept: {
      record: {
        ...good,
        ...lastWas(runBefore(1, { result: "failure", exitCode: 5, message: "no mount" })),
      },
    },
    state: "refused",
    outcome: "refused",
    says: /^no mount/,
  },
  {
    what: "files that a verification found different",
    kept: { record: good, files: { "mend.list": "a\nb\n" } },
    state: "differs",
    outcome: "difference",
    says: /2 stored files were found different .*--verify all \/.*\/x\.conf/,
  },
  {
    what: "a roll-back",
    kept: {
      record: good,
      files: {
        "paused.json": JSON.stringify({
          version: 1,
          since: "2026-03-04T00:00:00Z",
          asOf: "2026-03-01T00:00:00Z",
          complete: true,
        }),
      },
    },
    state: "paused",
    outcome: "skipped",
    says: /rolled back to 2026-03-01.*rclone-recover --resume \/.*\/x\.conf/,
  },
  {
    what: "a damaged pause",
    kept: { record: good, files: { "paused.json": "{" } },
    state: "paused",
    outcome: "skipped",
    says: /is damaged/,
  },
  {
    what: "a killed run",
    kept: {
      record: { ...good, running: { run: "000981-x", startedAt: "2026-03-05T03:00:00Z" } },
    },
    state: "killed",
    outcome: "failed",
    says: /run 000981-x was killed/,
  },
  {
    what: "no run for two days",
    kept: { record: lastWas(runBefore(48)) },
    state: "overdue",
    outcome: "failed",
    says: /overdue since 2026-03-04T23:58:30/,
  },
  {
    what: "a run a week ago, as it is scheduled",
    config: "[schedule]\ncron = 0 3 * * 0\n",
    kept: { record: lastWas(runBefore(24 * 7)) },
    state: "good",
    outcome: "done",
  },
  {
    what: "two scheduled times without a good run",
    config: "[schedule]\ncron = 0 * * * *\ntime_zone = UTC\n",
    kept: { record: lastWas(runBefore(5)) },
    state: "overdue",
    outcome: "failed",
    says: /overdue since 2026-03-05T08:00:00/,
  },
  {
    what: "a skipped run after a good one",
    kept: {
      record: {
        ...good,
        ...lastWas(runBefore(1, { result: "skipped", exitCode: 75, message: "on battery" })),
      },
      runs: [runBefore(20), runBefore(1, { result: "skipped", exitCode: 75 })],
    },
    state: "skipped",
    outcome: "done",
    says: /skipped: on battery/,
  },
  {
    what: "a skipped run after a failure",
    kept: {
      record: { ...good, ...lastWas(runBefore(1, { result: "skipped", exitCode: 75 })) },
      runs: [failing, runBefore(1, { result: "skipped", exitCode: 75 })],
    },
    state: "failed",
    outcome: "failed",
    says: /the disk is full/,
  },
  {
    what: "what is told once, a doubtful clock and an old destination",
    kept: {
      record: {
        ...good,
        told: ["the source is read-only"],
        clockDoubt: { from: "2026-01-01T00:00:00Z", to: "2026-03-04T00:00:00Z" },
        destination: "secret:before",
      },
    },
    state: "good",
    outcome: "done",
    says: /--allow-clock \/.*\/x\.conf\n[^]*read-only[^]*stored it at secret:before/,
  },
  {
    what: "a damaged state.json with a history",
    kept: { runs: [runBefore(3)], files: { "state.json": "{" } },
    state: "good",
    outcome: "done",
    says: /expected JSON in .*state.json, found a damaged file/,
  },
  {
    what: "a configuration that can't be loaded",
    config: "[default]\nsource = /x\nsuorce = /y\n",
    kept: { record: good },
    state: "broken",
    outcome: "usage",
    says: /x\.conf:3:1: .*suorce.* \| did you mean source/,
  },
];

for (const { what, state, outcome, kept, config, says } of cases) {
  test(`${what}: ${state}`, async (t) => {
    const dir = await makeStateDir(t);
    await dir.writeConfig("x", config);
    if (kept !== undefined) await dir.writeState("x", kept);
    const backup = await dir.only();
    assert.deepEqual([backup.state, backup.outcome], [state, outcome], textOf(backup));
    if (says === undefined) assert.equal(textOf(backup), "");
    else assert.match(textOf(backup), says);
  });
}

test("the exit code is the first of 2, 1, 4, 5, 3 and 75", () => {
  const order = ["usage", "failed", "difference", "refused", "partial", "skipped"] as const;
  for (const [at, outcome] of order.entries())
    assert.equal(firstOutcome(["done", ...order.slice(at).toReversed()]), outcome);
  assert.equal(firstOutcome([]), "done");
});

test("a run that goes on is told, and is not taken for a killed one", async (t) => {
  const dir = await makeStateDir(t);
  await dir.writeConfig("x");
  const running = { run: "000981-x", startedAt: "2026-03-05T11:59:00Z" };
  const state = await dir.writeState("x", { record: { ...good, running } });
  await mkdir(path.join(dir.root, "locks"));
  const holder = {
    pid: process.pid,
    start: processStart(process.pid),
    serial: 0,
    since: running.startedAt,
    command: "rclone-backup x",
  };
  const lock = path.join(dir.root, "locks", `${state.slice(-16)}.lock`);
  await writeFile(lock, `${JSON.stringify(holder)}\n`);
  const backup = await dir.only();
  assert.deepEqual([backup.state, backup.outcome], ["running", "done"]);
  assert.deepEqual(backup.running, { since: running.startedAt, command: "rclone-backup x" });
  await writeFile(lock, "");
  assert.equal((await dir.only()).state, "killed");
});

async function attempted(dir: StateDir, attempt: Record<string, unknown>): Promise<BackupStatus> {
  const file = path.join(dir.config, "x.conf");
  await dir.writeSuite("suite.json", {
    version: 1,
    backups: { [file]: { name: "x", skippedRuns: 0, ...attempt } },
  });
  return dir.only();
}

test("what run met before a backup began is told, until a run succeeds", async (t) => {
  const dir = await makeStateDir(t);
  await dir.writeConfig("x");
  await dir.writeState("x", { record: good });
  const before = await attempted(dir, {
    attemptedAt: "2026-03-05T11:00:00Z",
    outcome: "usage",
    message: "rclone is too old",
  });
  assert.deepEqual([before.state, before.outcome], ["failed", "failed"]);
  assert.match(textOf(before), /rclone is too old/);
  const older = await attempted(dir, { attemptedAt: "2026-03-01T00:00:00Z", outcome: "failed" });
  assert.equal(older.state, "good");
  const skipped = await attempted(dir, {
    attemptedAt: "2026-03-05T11:00:00Z",
    outcome: "skipped",
    message: "no network",
    skippedRuns: 3,
  });
  assert.deepEqual([skipped.state, skipped.outcome], ["skipped", "done"]);
  assert.match(textOf(skipped), /^skipped 3 times in a row: no network/);
});

test("a verification that failed is told until one succeeds, or none is wanted any more", async (t) => {
  const dir = await makeStateDir(t);
  const hashed = "[verify]\nhash_every = 30d\n";
  await dir.writeConfig("x", hashed);
  const count = { files: 1, bytes: 1 };
  const coverage = { version: 1, at: "2026-03-05T11:00:00Z", days: [] };
  const sums = { total: count, never: count, uncoverable: { files: 0, bytes: 0 } };
  const proved = async (complete: object): Promise<void> => {
    const text = JSON.stringify({ ...coverage, ...sums, complete });
    await dir.writeState("x", { record: good, files: { "coverage.json": text } });
  };
  const how = async (verified: Record<string, unknown>): Promise<unknown> => {
    const attempt = { attemptedAt: "2026-03-04T15:00:00Z", outcome: "done", verified };
    const status = await attempted(dir, attempt);
    return [status.state, status.outcome, ...status.remarks.map(({ kind, text }) => [kind, text])];
  };
  const at = "2026-03-04T16:00:00Z";
  const before = "2026-03-04T15:59:59Z";
  await proved({ content: before, hash: before });
  const failed = { at, outcome: "usage", message: "rclone is too old" };
  const partial = { at, outcome: "partial", message: "1 could not be compared" };
  const told = `reading back failed at ${at}: rclone is too old`;
  const part = `comparing checksums was not complete at ${at}: 1 could not be compared`;
  assert.deepEqual(await how({ next: failed, hash: partial }), [
    ...["failed", "failed"],
    ...[told, part].map((text) => ["verification", text]),
  ]);
  assert.deepEqual(await how({ hash: partial }), ["partial", "partial", ["verification", part]]);
  for (const outcome of ["done", "difference"])
    assert.deepEqual(await how({ next: { at, outcome } }), ["good", "done"]);

  await proved({ content: "2026-03-04T16:00:01Z", hash: before });
  assert.deepEqual(await how({ next: failed, hash: partial }), [
    ...["partial", "partial"],
    ["verification", part],
  ]);
  await proved({ hash: "2026-03-04T16:00:01Z" });
  assert.deepEqual(await how({ hash: partial }), ["good", "done"]);

  await proved({});
  await dir.writeConfig("x", "");
  assert.deepEqual(await how({ hash: partial }), ["good", "done"], "nothing compares checksums");
  await dir.writeConfig("x", "[verify]\nbudget = 0\n");
  assert.deepEqual(await how({ next: failed }), ["good", "done"], "nothing is read back");
  await dir.writeConfig("x", "");
  await writeFile(dir.env["RCLONE_BACKUPS_DEFAULTS"] ?? "", "VERIFY_BUDGET=0\n");
  assert.deepEqual(await how({ next: failed }), ["good", "done"], "of none is anything");
});

test("what was never read back is so since it was tried first, unless none is to be", async (t) => {
  const dir = await makeStateDir(t);
  const firstAt = "2025-11-01T03:00:00Z";
  const since = async (conf: string): Promise<unknown> => {
    await dir.writeConfig("x", conf);
    const attempt = { firstAt, attemptedAt: "2026-03-05T11:00:00Z", outcome: "done" };
    return (await attempted(dir, attempt)).neverReadSince;
  };
  assert.equal(await since(""), undefined, "there is nothing to be read");
  await dir.writeState("x", { record: good });
  assert.equal(await since(""), firstAt);
  assert.equal(await since("[verify]\nbudget = 0\n"), undefined);
});

test("a damaged suite.json and wrong settings are told, and stay as they are", async (t) => {
  const dir = await makeStateDir(t);
  await dir.writeConfig("x");
  await dir.writeState("x", { record: good });
  await dir.writeSuite("suite.json", "{");
  await writeFile(dir.env["RCLONE_BACKUPS_DEFAULTS"] ?? "", "VERIFY_BUDGET=much\n");
  const { remarks, outcome } = await dir.status();
  assert.equal(outcome, "done");
  assert.match(remarks[0]?.text ?? "", /suite\.json, found a damaged file/);
  assert.match(remarks[1]?.text ?? "", /much/);
  assert.deepEqual(await readdir(path.join(dir.root, "suite")), ["suite.json"]);
  assert.equal(await readFile(path.join(dir.root, "suite/suite.json"), "utf8"), "{");
});

test("a state is found by its configuration, after that has moved by the destination", async (t) => {
  const dir = await makeStateDir(t);
  await dir.writeConfig("x");
  await dir.writeState("x", { record: { ...good, config: "/elsewhere/old.conf" } });
  assert.equal((await dir.only()).state, "good");
  // The newest of several, and none that belongs to another configuration that is there.
  await dir.writeState("other", {
    record: { ...lastWas(failing), config: path.join(dir.config, "x.conf"), destination: "b:" },
  });
  assert.equal((await dir.only()).state, "failed");
  await dir.writeConfig("y", "[default]\nsource = /srv/y\ndestination = b:\n");
  const { backups } = await dir.status();
  assert.deepEqual(
    backups.map(({ name, state }) => [name, state]),
    [
      ["x", "failed"],
      ["y", "never"],
    ],
  );
});

test("named backups only; a name that means no file is a usage error", async (t) => {
  const dir = await makeStateDir(t);
  for (const name of ["a", "b", "c"]) await dir.writeConfig(name);
  const { backups } = await dir.status({ names: ["c", "a", path.join(dir.config, "a.conf")] });
  assert.deepEqual(
    backups.map(({ name }) => name),
    ["c", "a"],
  );
  assert.match((await failureOf(dir.status({ names: ["d"] }))).message, /^d: expected/);
  await Promise.all(["a", "b", "c"].map(async (name) => rm(path.join(dir.config, `${name}.conf`))));
  const none = await failureOf(dir.status());
  assert.equal(none.outcome, "usage");
  assert.match(none.message, /expected configurations \(NAME\.conf\), found none in /);
});

test("a file that others extend is a backup only if it is one by itself", async (t) => {
  const dir = await makeStateDir(t);
  await dir.writeConfig("common", "[default]\nsource = /srv\n[filters]\n- *.o\n");
  await dir.writeConfig("x", "[default]\nextends = common.conf\ndestination = secret:x\n");
  await dir.writeConfig("y", "[default]\nextends = x.conf\ndestination = secret:y\n");
  const names = async (): Promise<string[]> => (await dir.status()).backups.map(({ name }) => name);
  assert.deepEqual(await names(), ["x", "y"]);
  await dir.writeConfig("alone", "[default]\nsource = /srv\n");
  assert.deepEqual(await names(), ["alone", "x", "y"]);
});

test("no secret is asked for, and nothing is written", async (t) => {
  const dir = await makeStateDir(t);
  const mark = path.join(dir.config, "mark");
  await dir.writeConfig(
    "x",
    `[default]\nsource = /srv\ndestination = :s3,secret_access_key=hunter2:b\n[rclone]\npassword = command:touch ${mark}\n[notify]\nntfy = file:/not/there\n`,
  );
  const status = await dir.status();
  assert.ok(!JSON.stringify(status).includes("hunter2"));
  assert.equal(status.backups[0]?.destination, ":s3,secret_access_key=***:b");
  assert.deepEqual(await readdir(dir.config), ["x.conf"]);
  await assert.rejects(readdir(dir.root), "no state directory was made");
});

function days(backups: readonly BackupStatus[]): unknown[] {
  return backups.map(({ verified }) => verified?.all);
}

test("the verified share comes from the coverage, the promise from the budget", async (t) => {
  const dir = await makeStateDir(t);
  await writeFile(dir.env["RCLONE_BACKUPS_DEFAULTS"] ?? "", "VERIFY_BUDGET=200\n");
  await dir.writeConfig("x");
  await dir.writeConfig("y", "[verify]\nbudget = 50\n");
  const coverage = {
    version: 1,
    at: statusTime.toISOString(),
    total: { files: 10, bytes: 1000 },
    never: { files: 4, bytes: 400 },
    begun: { files: 0, bytes: 0 },
    uncoverable: { files: 0, bytes: 0 },
    days: [
      { day: "2026-02-10", files: 1, bytes: 100 },
      { day: "2026-03-05", files: 5, bytes: 500 },
    ],
  };
  const files = { "coverage.json": JSON.stringify(coverage) };
  for (const name of ["x", "y"]) await dir.writeState(name, { record: good, files });
  const [x, y] = (await dir.status()).backups;
  assert.deepEqual(x?.verified?.within, [
    { days: 1, files: 0.5, bytes: 0.5 },
    { days: 7, files: 0.5, bytes: 0.5 },
    { days: 30, files: 0.6, bytes: 0.6 },
    { days: 90, files: 0.6, bytes: 0.6 },
  ]);
  assert.equal(x?.verified?.oldest, "2026-02-10");
  // The one takes 50 of the 200, the other what is left.
  assert.deepEqual(days([x, y ?? assert.fail()]), [{ date: "2026-03-08" }, { date: "2026-03-13" }]);
  const named = await dir.status({ names: ["x"] });
  assert.deepEqual(days(named.backups), [{ date: "2026-03-08" }], "the others count all the same");
  await dir.writeConfig("y", "[verify]\nbudget = 400\n");
  const equal = (await dir.status()).backups;
  assert.deepEqual(days(equal), [{ date: "2026-03-09" }, { date: "2026-03-09" }], "equal shares");
  await dir.writeConfig("y", "[schedule]\ncron = 0 2 * * 0\n");
  const weekly = (await dir.status()).backups;
  assert.deepEqual(days(weekly), [{ date: "2026-03-09" }, { date: "2026-04-02" }]);
  // Two requests a day: each has one file every other day.
  await writeFile(
    dir.env["RCLONE_BACKUPS_DEFAULTS"] ?? "",
    "VERIFY_BUDGET=2000\nVERIFY_TRANSACTIONS=2\n",
  );
  assert.deepEqual(days((await dir.status()).backups).at(0), { date: "2026-03-13" });
});
