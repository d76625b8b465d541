import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { loadBackup } from "../lib/config/load.ts";
import { Failure, type Outcome } from "../lib/errors.ts";
import { attemptOf } from "../lib/jobs/nightly/book.ts";
import type { Start } from "../lib/jobs/nightly/child.ts";
import { holding } from "../lib/jobs/nightly/due.ts";
import type {
  NightBackup,
  NightOptions,
  NightResult,
  NightVerification,
} from "../lib/jobs/nightly/night.ts";
import { coverageBehind, judgedBy, raisedBy } from "../lib/jobs/nightly/raised.ts";
import { canaryPing, endPing, Pings, startPing } from "../lib/jobs/nightly/telling.ts";
import { nightly } from "../lib/jobs/nightly.ts";
import type { World } from "../lib/jobs/session.ts";
import type { BackupStatus, Verified } from "../lib/jobs/status/value.ts";
import { tellsNothingNew } from "../lib/output/nightreport.ts";
import { acquireLock } from "../lib/state/lock.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* Who is told what of a night, without one that is run: the backups are started by a double. */

const at = "2026-01-31T03:00:00.000Z";

const ran: NightBackup = {
  ...{ name: "home", file: "/etc/home.conf", outcome: "done", result: "success" },
  ...{ startedAt: at, finishedAt: at, message: undefined, hint: undefined },
  ...{ refusedPlan: undefined, warnings: [], failures: [], failureCount: 0 },
  ...{ counts: undefined, verifications: [], repeated: false },
};

function nightOf(...backups: readonly NightBackup[]): NightResult {
  return {
    ...{ outcome: "done", dryRun: false, startedAt: at, finishedAt: at, backups, notDue: [] },
    verification: { budget: 0, spentBefore: 0, spent: 0 },
    ...{ message: undefined, hint: undefined },
  };
}

const status: BackupStatus = {
  ...{ name: "home", file: "/etc/home.conf", state: "good", outcome: "done" },
  ...{ source: "/srv", destination: "secret:home", last: undefined, warnings: [] },
  ...{ good: undefined, running: undefined, runs: [], schedule: undefined },
  ...{ nextAt: undefined, overdueSince: undefined, attempt: undefined, differences: [] },
  guard: {
    ...{ refused: undefined, suppressed: undefined, pausedSince: undefined },
    ...{ clockDoubt: undefined, trusted: undefined },
  },
  ...{ verified: undefined, neverReadSince: undefined, unverified: [], remarks: [] },
};

const options = { host: "host", now: new Date(at) };
const raisedOf = (night: NightResult, ...backups: readonly BackupStatus[]): string[] =>
  raisedBy(night, backups, options).map(
    ({ notice, fingerprint }) =>
      `${notice.event} ${notice.backup ?? "-"}${notice.event === "failure" ? ` ${fingerprint}` : ""}`,
  );

function verification(outcome: Outcome, message: string | undefined): NightVerification {
  return {
    ...{ kind: "next", outcome, message, share: 0, isTold: false, finishedAt: at },
    ...{ files: 0, bytes: 0, transactions: 0, differences: [] },
  };
}

test("a verification that fails is told, beside the backup that went well", () => {
  for (const outcome of ["failed", "partial", "usage"] as const) {
    const verifications = [verification(outcome, "killed by SIGKILL")];
    const night = nightOf({ ...ran, verifications });
    assert.deepEqual(raisedOf(night, status), ["success home", "failure home verification"]);
    const [, told] = raisedBy(night, [status], options);
    assert.match(told?.notice.text ?? "", /\n {2}killed by SIGKILL\n/);
  }
  for (const outcome of ["done", "difference", "skipped", "interrupted"] as const) {
    const verifications = [verification(outcome, "x")];
    assert.deepEqual(raisedOf(nightOf({ ...ran, verifications }), status), ["success home"]);
  }
  const unverified = [{ kind: "next", at, outcome: "failed", message: "killed" }] as const;
  const left = raisedOf(nightOf(ran), { ...status, unverified });
  assert.deepEqual(left, ["success home", "failure home verification"], "not over by a mere run");
  const both = nightOf({
    ...ran,
    ...{ outcome: "partial", message: "2 files failed" },
    verifications: [verification("failed", "killed")],
  });
  const [failure, ...more] = raisedBy(both, [status], options);
  assert.equal(more.length, 0);
  assert.match(failure?.notice.text ?? "", /\n {2}2 files failed\n {2}killed\n/);
});

test("how one ended whose configuration is gone is told all the same", () => {
  const gone: NightBackup = { ...ran, outcome: "usage", message: "expected a file, found none" };
  assert.deepEqual(raisedOf(nightOf(gone)), ["failure home false"]);
  const judged = judgedBy(nightOf(gone), []);
  assert.equal(judged("failure", "home"), true);
  assert.equal(judged("missed", "home"), false, "of that nothing is known");
});

test("a refusal that lasts is one event while the same guards are against it", () => {
  const night = nightOf({ ...ran, outcome: "refused", message: "found 5 files of 9" });
  const fingerprint = (findings: string[], kinds: string[]): string | undefined => {
    const refused = { id: "1", at, findings, kinds };
    return raisedBy(night, [{ ...status, guard: { ...status.guard, refused } }], options)[0]
      ?.fingerprint;
  };
  const first = fingerprint(["found 5 files of 9"], ["max-delete"]);
  assert.equal(first, fingerprint(["found 6 files of 9"], ["max-delete"]));
  assert.notEqual(first, fingerprint(["found 6 files of 9"], ["max-delete", "mount"]));
});

test("a run in which nothing was due says nothing of the whole", () => {
  assert.equal(judgedBy(nightOf(), [status])("failure", undefined), false);
  assert.equal(judgedBy(nightOf(), [status])("failure", "home"), false);
  assert.equal(judgedBy(nightOf(), [status])("missed", "home"), true);
  assert.equal(judgedBy(nightOf(ran), [status])("failure", undefined), true);
  assert.equal(judgedBy(nightOf(ran), [status])("failure", "home"), true);
  assert.equal(judgedBy({ ...nightOf(), message: "x" }, [])("failure", undefined), true);
});

const textOf = (backup: BackupStatus): string | undefined =>
  raisedBy(nightOf(), [backup], options)[0]?.notice.text;

test("one that is overdue while it runs is told to be running", () => {
  const overdue = { ...status, overdueSince: at };
  const running = { since: at, command: "rclone-backup home" };
  assert.match(textOf(overdue) ?? "", /Was this machine off\?/);
  assert.match(
    textOf({ ...overdue, running }) ?? "",
    /A run of it goes on since 2026-01-31 03:00:00/,
  );
});

function neverRead(neverReadSince: string | undefined): string | undefined {
  return coverageBehind({ verified: undefined, neverReadSince }, options.now);
}

test("verification falls behind too where what was proved long ago isn't proved again", () => {
  const count = { files: 1, bytes: 1 };
  const behind = (all: Verified["all"], oldest: string | undefined): string | undefined =>
    coverageBehind(
      {
        ...status,
        neverReadSince: undefined,
        verified: {
          ...{ total: count, never: count, uncoverable: { files: 0, bytes: 0 }, within: [] },
          ...{ all, oldest, hashAt: undefined },
        },
      },
      options.now,
    );
  assert.equal(behind({ date: "2026-02-20" }, "2026-01-01"), undefined);
  assert.equal(behind({ date: "2026-02-20" }, undefined), undefined);
  assert.match(behind({ date: "2026-02-20" }, "2025-10-01") ?? "", /back last on 2025-10-01/);
  assert.match(behind({ since: "2025-10-01" }, "2025-10-01") ?? "", /back last on 2025-10-01/);
  assert.match(behind({ date: "2027-02-20" }, undefined) ?? "", /will be on 2027-02-20/);
  assert.equal(neverRead(undefined), undefined);
  assert.equal(neverRead("2026-01-01T03:00:00Z"), undefined);
  assert.match(
    neverRead("2025-10-01T03:00:00Z") ?? "",
    /none of it was since the first run on 2025-/,
  );
});

test("skipped runs are counted by scheduled times, an interrupted one has not started", () => {
  const skipped: NightBackup = { ...ran, outcome: "skipped", result: "skipped" };
  const one = attemptOf({ ...skipped, startedAt: "2026-01-31T03:00:00Z" }, undefined, at);
  const two = attemptOf({ ...skipped, startedAt: "2026-01-31T03:15:00Z" }, one, at);
  const three = attemptOf({ ...skipped, startedAt: "2026-02-01T03:00:00Z" }, two, "2026-02-01");
  assert.deepEqual(
    [one, two, three].map(({ skippedRuns }) => skippedRuns),
    [1, 1, 2],
  );
  assert.deepEqual(
    [three.firstAt, three.attemptedAt, three.startedAt],
    ["2026-01-31T03:00:00Z", "2026-02-01T03:00:00Z", undefined],
  );
  const good = attemptOf({ ...ran, startedAt: "2026-02-01T04:00:00Z" }, three, "2026-02-01");
  assert.deepEqual([good.skippedRuns, good.startedAt], [0, "2026-02-01T04:00:00Z"]);
  const stopped = attemptOf({ ...ran, outcome: "interrupted" }, good, undefined);
  assert.equal(stopped.startedAt, "2026-02-01T04:00:00Z");
  // Without a schedule, another day is another run.
  const plain = attemptOf({ ...skipped, startedAt: "2026-01-31T03:00:00Z" }, undefined, undefined);
  const soon = attemptOf({ ...skipped, startedAt: "2026-01-31T09:00:00Z" }, plain, undefined);
  const later = attemptOf({ ...skipped, startedAt: "2026-02-01T02:50:00Z" }, soon, undefined);
  assert.deepEqual([plain.skippedRuns, soon.skippedRuns, later.skippedRuns], [1, 1, 2]);
});

test("how verifications ended is remembered by their kinds, whatever the backup does later", () => {
  const hash: NightVerification = { ...verification("done", undefined), kind: "hash" };
  const unread = { ...ran, verifications: [hash, verification("usage", "x")] };
  const first = attemptOf(unread, undefined, undefined);
  assert.equal(first.outcome, "done");
  const failed = { next: { at, outcome: "usage", message: "x" }, hash: { at, outcome: "done" } };
  assert.deepEqual(first.verified, failed);
  const skipped = { ...ran, verifications: [verification("skipped", "locked")] };
  assert.deepEqual(attemptOf(skipped, first, undefined).verified, failed);
  const rounds = [verification("done", undefined), verification("failed", "y")];
  const second = attemptOf({ ...ran, verifications: rounds }, first, undefined);
  assert.deepEqual(second.verified?.next, { at, outcome: "failed", message: "y" });
  const third = attemptOf({ ...ran, verifications: [verification("difference", "z")] }, second, at);
  assert.equal(third.verified?.next?.outcome, "difference");
});

test("what is skipped again for the same time is silent, until it does something", () => {
  const told: string[] = [];
  const { onLine, release } = holding((name, line) => void told.push(`${name}: ${line}`));
  onLine("home", "skipped");
  assert.equal(told.length, 0);
  release();
  onLine("home", "more");
  assert.deepEqual(told, ["home: skipped", "home: more"]);
  const many = holding((_name, line) => void told.push(line));
  for (let line = 0; line < 100; line += 1) many.onLine("home", String(line));
  assert.equal(told.length, 102);
  const skipped: NightBackup = { ...ran, outcome: "skipped", result: "skipped", repeated: true };
  const night: NightResult = { ...nightOf(ran, skipped), outcome: "skipped" };
  assert.equal(tellsNothingNew(night), true);
  assert.equal(tellsNothingNew({ ...night, message: "BEFORE_ALL: exit code 75" }), false);
  assert.equal(tellsNothingNew({ ...night, backups: [{ ...skipped, repeated: false }] }), false);
});

test("the canary sings when this run and the last state of every backup are good", () => {
  const settings = { canary: "http://canary/", canaryFail: "http://fail/" };
  const what = (outcome: Outcome, of: Outcome | undefined): string | undefined =>
    canaryPing(settings, { outcome }, of === undefined ? undefined : { outcome: of })?.what;
  assert.equal(what("done", "done"), "CANARY");
  assert.equal(what("done", "failed"), undefined, "another backup is not good");
  assert.equal(what("done", undefined), undefined);
  assert.equal(what("partial", "done"), "CANARY_FAIL");
  assert.equal(what("interrupted", undefined), "CANARY_FAIL");
  assert.equal(what("skipped", "done"), undefined);
});

interface Quick {
  readonly root: string;
  readonly config: string;
  readonly state: string;
  readonly world: World;
  readonly run: (changes?: Partial<NightOptions>) => Promise<NightResult>;
}

/** Runs nights in this process, in which every backup ends with `outcome` at once. */
async function quick(t: TestContext, defaults: string, outcome: Outcome = "done"): Promise<Quick> {
  const { root, config, state, env } = await makeSandbox(t);
  const file = path.join(root, "defaults");
  await writeFile(file, `VERIFY_BUDGET=0\n${defaults.replaceAll("ROOT", root)}\n`);
  const world: World = {
    env: { ...env, RCLONE_BACKUPS_DEFAULTS: file },
    cwd: root,
    now: () => new Date(at),
    isRoot: false,
    signal: new AbortController().signal,
    events: { warn: (text: string): void => assert.fail(text), detail() {}, progress() {} },
  };
  const start: Start = async () => ({ outcome, document: undefined, lastLine: "said" });
  const run: Quick["run"] = (changes) =>
    nightly(
      {
        ...{ names: [], set: [], passed: [], configDir: undefined, rcloneConfig: undefined },
        ...{ all: false, due: false, jobs: 1, dryRun: false, verify: true, start },
        ...{ onLine: () => {}, onResult: async () => {}, onStatus: () => {} },
        ...{ onWait: () => {}, ...changes },
      },
      world,
    );
  return { root, config, state, world, run };
}

const isSkipped = (error: unknown): boolean =>
  error instanceof Failure && error.outcome === "skipped";

test("while another run hangs, what lasts is told by those that find it at work", async (t) => {
  const note = `NOTIFY_COMMAND='echo "$NOTICE_EVENT $NOTICE_BACKUP" >> ROOT/told'`;
  const { root, config, state, run } = await quick(t, note);
  const conf = path.join(config, "home.conf");
  await writeFile(conf, "[default]\nsource = /srv\ndestination = secret:home\n");
  await mkdir(path.join(state, "suite"), { recursive: true, mode: 0o700 });
  await mkdir(path.join(state, "locks"), { mode: 0o700 });
  const attempt = {
    ...{ name: "home", firstAt: "2026-01-20T03:00:00Z", attemptedAt: "2026-01-29T03:00:00Z" },
    ...{ outcome: "failed", message: "x", skippedRuns: 0 },
  };
  const suite = { version: 1, backups: { [conf]: attempt } };
  await writeFile(path.join(state, "suite", "suite.json"), JSON.stringify(suite));
  const told = async (): Promise<string> =>
    readFile(path.join(root, "told"), "utf8").catch(() => "");
  const hold = async (since: string): ReturnType<typeof acquireLock> =>
    acquireLock(path.join(state, "locks", "run.lock"), {
      ...{ mode: "exclusive", command: "rclone-backups run", now: () => new Date(since) },
    });

  const young = await hold("2026-01-31T01:00:00Z");
  await assert.rejects(run(), isSkipped);
  assert.equal(await told(), "", "it may well be at work");
  await young.release();

  const old = await hold("2026-01-30T01:00:00Z");
  t.after(() => old.release());
  // Never good, so overdue by its first try.
  await assert.rejects(run(), isSkipped);
  assert.equal(await told(), "missed home\n");
  const due = await run({ due: true });
  assert.deepEqual([due.outcome, due.message, tellsNothingNew(due)], ["skipped", undefined, true]);
  assert.equal(await told(), "missed home\n", "once");
});

test("a run waits for one that does not do its work, and gives way to one that does", async (t) => {
  const { config, state, run } = await quick(t, "");
  await writeFile(
    path.join(config, "home.conf"),
    "[default]\nsource = /srv\ndestination = secret:home\n",
  );
  await mkdir(path.join(state, "locks"), { mode: 0o700 });
  const hold = async (command: string): ReturnType<typeof acquireLock> =>
    acquireLock(path.join(state, "locks", "run.lock"), {
      ...{ mode: "exclusive", command, now: () => new Date(at) },
    });
  for (const other of ["--due", "-n", "photos"]) {
    const lock = await hold(`rclone-backups run ${other}`);
    assert.equal((await run({ due: true })).outcome, "skipped", "it is asked again soon");
    const told: string[] = [];
    const night = await run({
      onWait: (text) => {
        told.push(text);
        void lock.release();
      },
    });
    assert.deepEqual([night.outcome, night.backups.length], ["done", 1]);
    assert.equal(told.length, 1, told.join("\n"));
    assert.match(told[0] ?? "", /^waiting for rclone-backups run .*, process \d+, at work since /);
  }
  const lock = await hold("rclone-backups run");
  t.after(() => lock.release());
  await assert.rejects(run(), isSkipped);
});

test("what a run calls itself tells others whether to wait for it", async (t) => {
  const { config, state, run } = await quick(t, "");
  for (const name of ["home", "photos"])
    await writeFile(
      path.join(config, `${name}.conf`),
      `[default]\nsource = /srv\ndestination = secret:${name}\n[schedule]\ncron = 0 1 * * *\n`,
    );
  const called: string[] = [];
  const start: Start = async () => {
    const text = await readFile(path.join(state, "locks", "run.lock"), "utf8");
    called.push(/"command":"([^"]*)"/.exec(text)?.[1] ?? "");
    return { outcome: "done", document: undefined, lastLine: undefined };
  };
  const each = { start, jobs: 1 };
  await run({ ...each, due: true, names: ["home"] });
  await run({ ...each, all: true });
  await run({ ...each, names: ["photos"] });
  await run({ ...each, names: ["photos", "home"], dryRun: true });
  const base = "rclone-backups run";
  assert.deepEqual(
    [...new Set(called)],
    [`${base} --due home`, base, `${base} photos`, `${base} -n photos …`],
  );
});

test("a configuration outside the directory runs as well as another, whatever the directory holds", async (t) => {
  const { root, config, run } = await quick(t, "");
  const conf = path.join(root, "other.conf");
  await writeFile(conf, "[default]\nsource = /srv\ndestination = secret:other\n");
  const alone = await run({ names: [conf] });
  assert.deepEqual([alone.outcome, alone.message], ["done", undefined]);
  await writeFile(
    path.join(config, "home.conf"),
    "[default]\nsource = /srv\ndestination = secret:home\n",
  );
  const beside = await run({ names: [conf] });
  assert.deepEqual([beside.outcome, beside.backups.length], ["done", 1]);
});

const skipping: Start = async (_words, _world, onStderr) => {
  onStderr("no network");
  return { outcome: "skipped", document: undefined, lastLine: "no network" };
};

const stopped: Start = async () => ({
  ...{ outcome: "interrupted", document: undefined, lastLine: "stopped" },
});

test("an interrupted run is due again, and one that is skipped for the same time is counted once", async (t) => {
  const { config, state, run } = await quick(t, "", "skipped");
  await writeFile(
    path.join(config, "home.conf"),
    "[default]\nsource = /srv\ndestination = secret:home\n[schedule]\ncron = 0 1 * * *\n",
  );
  const lines: string[] = [];
  const onLine = (_name: string, line: string): void => void lines.push(line);
  const nights = [];
  for (let night = 0; night < 3; night += 1)
    nights.push(await run({ due: true, start: skipping, onLine }));
  assert.deepEqual(
    nights.map(({ outcome, backups }) => [outcome, backups[0]?.repeated]),
    [
      ["skipped", false],
      ["skipped", true],
      ["skipped", true],
    ],
  );
  assert.deepEqual(lines, ["no network"]);
  assert.match(await readFile(path.join(state, "suite/suite.json"), "utf8"), /"skippedRuns": ?1\b/);
  assert.equal((await run({ due: true, start: stopped })).backups.length, 1);
  assert.equal((await run({ due: true, start: stopped })).backups.length, 1, "due again");
});

test("pings of one URL come in order, and how it ended is told after a signal too", async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(url);
    const answer = (): void => void response.end("ok");
    if (!url.endsWith("/start")) return answer();
    // The other one would overtake it.
    setTimeout(() => {
      asked.push("start is done");
      answer();
    }, 50);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const { config, world } = await quick(t, "");
  const load = async (): Promise<Parameters<typeof startPing>[0]> => {
    const file = path.join(config, "home.conf");
    const text = `[default]\nsource = /srv\ndestination = secret:home\n[notify]\nping = http://127.0.0.1:${port}/x\n`;
    await writeFile(file, text);
    return { name: "home", file, loaded: await loadBackup(file, { env: world.env, set: [] }) };
  };
  const plain = await load();
  const start = startPing(plain);
  const end = endPing(plain, { outcome: "done" });
  const fail = endPing(plain, { outcome: "interrupted" });
  assert.ok(start !== undefined && end !== undefined && fail !== undefined);
  const stop = new AbortController();
  const pings = new Pings({ ...world, signal: stop.signal });
  pings.send(start);
  pings.send(end);
  await pings.done();
  assert.deepEqual(asked.splice(0), ["/x/start", "start is done", "/x"]);
  pings.send(fail);
  stop.abort();
  await pings.done();
  pings.send(start);
  pings.send(fail);
  await pings.done();
  assert.deepEqual(asked, ["/x/fail", "/x/fail"]);
});
