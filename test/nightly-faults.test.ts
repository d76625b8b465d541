import assert from "node:assert/strict";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { failed } from "../lib/errors.ts";
import type { Child, Start } from "../lib/jobs/nightly/child.ts";
import { nightly } from "../lib/jobs/nightly.ts";
import { compiled } from "./helpers/command.ts";
import { appears, gone, inNamespace, replaceRclone, tellPid } from "./helpers/fault.ts";
import { makeNights, type Nights } from "./helpers/nights.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { simulate } from "./helpers/simulated.ts";

/* What `rclone-backups run` does when something goes wrong around it. */

/** Puts the real rclone back in its place. */
async function restoreRclone({ bin, rclone }: Nights): Promise<void> {
  await rm(path.join(bin, "rclone"));
  await symlink(rclone.path, path.join(bin, "rclone"));
}

/** An rclone that never ends where its arguments match a pattern of the shell; it tells its pid and its parent's. */
function hanging(pattern: string, pid: string, parent = `${pid}.parent`): string {
  return `case "$*" in ${pattern}) ${tellPid(parent, "$PPID")}; ${tellPid(pid)}; exec sleep 1000;; esac\nexec "$REAL" "$@"`;
}

/** The document of a backup that went well, but for some files. */
function partialDocument(failures: number): unknown {
  const none = { files: 0, bytes: 0 };
  const at = "2026-01-31T03:00:00.000Z";
  return {
    ...{ kind: "backup", result: "failure", started_at: at, finished_at: at },
    ...{ message: `${failures} files failed`, warnings: [], failure_count: failures },
    failures: Array.from({ length: failures }, (_, file) => ({
      path: `file ${file}`,
      reason: "x",
    })),
    transferred: none,
    plan: { source: none, added: none, changed: none, deleted: none },
  };
}

test("500 configurations: in order, a few at once, and whatever some of them do, all have their turn", async (t) => {
  const box = await makeSandbox(t);
  const names = Array.from({ length: 500 }, (_, at) => `host${String(at).padStart(3, "0")}`);
  for (const name of names)
    await writeFile(
      path.join(box.config, `${name}.conf`),
      `[default]\nsource = /srv\ndestination = secret:${name}\n`,
    );
  const defaults = path.join(box.root, "defaults");
  await writeFile(defaults, "JOBS=7\n");
  const started: string[] = [];
  let running = 0;
  let most = 0;
  const start: Start = async (words, _world, onStderr): Promise<Child> => {
    const name = path.basename(words.at(-1) ?? "", ".conf");
    started.push(name);
    most = Math.max(most, (running += 1));
    // Some take longer than others.
    for (let turn = started.length % 5; turn >= 0; turn -= 1)
      await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (name.endsWith("50")) throw failed("out of processes");
    if (name.endsWith("51")) onStderr("a line");
    const outcome = name.endsWith("52") ? "partial" : "skipped";
    const document = name.endsWith("52") ? partialDocument(1000) : undefined;
    return { outcome, document, lastLine: "no network" };
  };
  const lines: string[] = [];
  const warnings: string[] = [];
  const night = await nightly(
    {
      ...{ names: [], set: [], passed: [], configDir: undefined, rcloneConfig: undefined },
      ...{ all: false, due: false, jobs: undefined, dryRun: false, verify: true },
      start,
      onLine: (name, line) => void lines.push(`${name}: ${line}`),
      onResult: async () => {},
      onStatus: () => {},
      onWait: () => {},
    },
    {
      env: { ...box.env, RCLONE_BACKUPS_DEFAULTS: defaults },
      cwd: box.root,
      now: () => new Date("2026-01-31T03:00:00Z"),
      isRoot: false,
      signal: new AbortController().signal,
      events: { warn: (text) => void warnings.push(text), detail() {}, progress() {} },
    },
  );
  assert.deepEqual([started, most, running], [names, 7, 0]);
  assert.deepEqual(
    night.backups.map(({ name }) => name),
    names,
  );
  assert.deepEqual([night.outcome, night.message, warnings], ["failed", undefined, []]);
  const ended = (wanted: string) => night.backups.filter(({ outcome }) => outcome === wanted);
  assert.deepEqual(
    ["failed", "partial", "skipped"].map((outcome) => ended(outcome).length),
    [5, 5, 490],
  );
  // Enough to see what is wrong, and not a million lines.
  for (const { failures, failureCount } of ended("partial"))
    assert.deepEqual([failures.length, failureCount], [100, 1000]);
  assert.ok(lines.includes("host050: error: out of processes"), lines.join());
  const kept = v.parse(
    v.object({ backups: v.record(v.string(), v.object({ skippedRuns: v.number() })) }),
    JSON.parse(await readFile(path.join(box.state, "suite", "suite.json"), "utf8")),
  );
  assert.equal(Object.keys(kept.backups).length, 500);
  assert.equal(
    Object.values(kept.backups).filter(({ skippedRuns }) => skippedRuns === 1).length,
    490,
  );
});

test("a full state directory: 1, all have their turn and are told, and a rerun with room works", async (t) => {
  const nights = await makeNights(t);
  const told = path.join(nights.root, "told");
  const note = `echo "$NOTICE_EVENT $NOTICE_BACKUP" >> ${told}`;
  await nights.setDefaults(`VERIFY_BUDGET=1M\nNOTIFY_COMMAND='${note}'\n`);
  await nights.addBackup("one", { a: Buffer.alloc(50_000, "a") });
  await nights.addBackup("two", { b: Buffer.alloc(50_000, "b") });
  const [good, ...tight] = await inNamespace(
    nights,
    `CLI='${compiled("rclone-backups")}'
     mount -t tmpfs -o size=2m,mode=0755 state "$STATE"
     backup run
     for room in 0 4 8; do
       head -c 2m /dev/zero >"$STATE/filler" 2>/dev/null || true
       truncate -s -\${room}k "$STATE/filler"
       backup run --json
       cp "$STATE/suite/suite.json" "$ROOT/suite.$room"
       rm "$STATE/filler"
     done
     backup run`,
  );
  assert.deepEqual([good?.code, good?.stdout, good?.stderr], [0, "", ""]);
  const again = tight.pop();
  assert.equal(again?.code, 0, again?.stderr);
  assert.equal(tight.length, 3);
  for (const { code, stdout, stderr } of tight) {
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the disk is full|No space left on device/);
    const { backups, message } = v.parse(
      v.object({
        backups: v.array(v.object({ name: v.string() })),
        message: v.nullable(v.string()),
      }),
      JSON.parse(stdout),
    );
    assert.deepEqual(
      backups.map(({ name }) => name),
      ["one", "two"],
      `${stderr}${message}`,
    );
  }
  // What was written before is whole.
  JSON.parse(await readFile(path.join(nights.root, "suite.0"), "utf8"));
  assert.match(await readFile(told, "utf8"), /^failure $/m);
});

test("a state of the whole that can't be written: the backups run, nothing is read back, and it is told", async (t) => {
  const nights = await makeNights(t);
  const told = path.join(nights.root, "told");
  const suite = path.join(nights.state, "suite");
  await nights.setDefaults(
    `VERIFY_BUDGET=1M\nNOTIFY_COMMAND='cat >> ${told}'\nBEFORE_ALL='rm -r ${suite}; touch ${suite}'\n`,
  );
  for (const name of ["one", "two"]) await nights.addBackup(name, { a: Buffer.alloc(1000, "a") });
  const result = await nights.all(["run"]);
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /^rclone-backups: error: .*suite.budget\.json/m);
  assert.match(result.stdout, /^one +success .*1 new, 0 changed, 0 deleted$/m);
  assert.match(result.stdout, /^two +success .*1 new, 0 changed, 0 deleted$/m);
  assert.match(await readFile(told, "utf8"), /budget\.json/);
  await rm(suite);
  await nights.setDefaults("VERIFY_BUDGET=1M\n");
  const { verification } = await nights.night(0);
  assert.equal(verification.spent, 2000);
});

test("a remote that hangs: SIGTERM ends the run, both backups, and what they started; AFTER_ALL is told", async (t) => {
  const nights = await makeNights(t);
  const log = path.join(nights.root, "log");
  await nights.setDefaults(`VERIFY_BUDGET=0\nAFTER_ALL='echo "$BACKUPS_OUTCOME" >> ${log}'\n`);
  const pids = ["one", "two"].map((name) => path.join(nights.root, `pid of ${name}`));
  for (const name of ["one", "two"]) await nights.addBackup(name, { a: "a" });
  await replaceRclone(
    nights,
    ["one", "two"]
      .map((name, at) => hanging(`sync*secret:${name}*`, pids[at] ?? ""))
      .join("\n")
      .replaceAll('\nexec "$REAL" "$@"\n', "\n"),
  );
  const live = nights.startAll(["run"]);
  const hung = await Promise.all(pids.map(appears));
  live.kill("SIGTERM");
  const result = await live.done;
  assert.equal(result.code, 130, result.stderr);
  for (const pid of hung) await gone(Number(pid));
  for (const pid of pids) await gone(Number(await readFile(`${pid}.parent`, "utf8")));
  assert.equal(await readFile(log, "utf8"), "interrupted\n");
  await restoreRclone(nights);
  assert.equal((await nights.all(["run"])).code, 0);
});

test("hooks around all that hang: BEFORE_ALL stops the run, AFTER_ALL is a warning", async (t) => {
  const nights = await makeNights(t);
  const pid = path.join(nights.root, "pid");
  const hang = `${tellPid(pid).replaceAll("'", "")}; exec sleep 1000`;
  await nights.addBackup("one", { a: "a" });
  await nights.setDefaults(`VERIFY_BUDGET=0\nHOOK_TIMEOUT=1s\nBEFORE_ALL='${hang}'\n`);
  const before = await nights.all(["run"]);
  assert.equal(before.code, 1, before.stderr);
  assert.match(before.stderr, /error: BEFORE_ALL: expected it to end within 1 s/);
  assert.match(before.stderr, /hint: raise HOOK_TIMEOUT/);
  await gone(Number(await readFile(pid, "utf8")));
  assert.equal((await nights.runRclone(["lsf", nights.store])).stdout, "", "nothing was run");
  await nights.setDefaults(`VERIFY_BUDGET=0\nHOOK_TIMEOUT=1s\nAFTER_ALL='${hang}'\n`);
  const after = await nights.all(["run"]);
  assert.equal(after.code, 0, after.stderr);
  assert.match(after.stderr, /warning: AFTER_ALL: expected it to end within 1 s/);
  await gone(Number(await readFile(pid, "utf8")));
});

test("kill -9 of one backup in its sync: it has failed, the others are good, and the next run works", async (t) => {
  const nights = await makeNights(t);
  const pid = path.join(nights.root, "pid");
  for (const name of ["one", "two", "three"]) await nights.addBackup(name, { a: "a" });
  await replaceRclone(nights, hanging("sync*secret:one*", pid));
  const live = nights.startAll(["run", "--json"]);
  const rclone = Number(await appears(pid));
  const backup = Number(await readFile(`${pid}.parent`, "utf8"));
  assert.match(await readFile(`/proc/${backup}/cmdline`, "latin1"), /rclone-backup\.js/);
  process.kill(backup, "SIGKILL");
  const result = await live.done;
  assert.equal(result.code, 1, result.stderr);
  await gone(rclone);
  const { backups } = v.parse(
    v.object({
      backups: v.array(
        v.object({ name: v.string(), outcome: v.string(), message: v.nullable(v.string()) }),
      ),
    }),
    JSON.parse(result.stdout),
  );
  assert.deepEqual(
    backups.map(({ name, outcome }) => [name, outcome]),
    [
      ["one", "failed"],
      ["three", "done"],
      ["two", "done"],
    ],
  );
  assert.equal(backups[0]?.message, "expected it to end by itself, found it killed by SIGKILL");
  const status = await nights.all(["status"]);
  assert.equal(status.code, 1, status.stdout);
  await restoreRclone(nights);
  assert.equal((await nights.night(0)).backups[0]?.result, "success");
  assert.equal((await nights.all(["status"])).code, 0);
});

test("kill -9 of the run while it reads back: the share stays counted, and the rest of the day is used", async (t) => {
  const nights = await makeNights(t);
  const pid = path.join(nights.root, "pid");
  await nights.setDefaults("VERIFY_BUDGET=250000\n");
  await nights.addBackup("home", { a: Buffer.alloc(100_000, "a"), b: Buffer.alloc(100_000, "b") });
  await replaceRclone(nights, hanging("check*", pid));
  const live = nights.startAll(["run"]);
  const rclone = Number(await appears(pid));
  live.kill("SIGKILL");
  await live.done;
  await gone(rclone);
  await gone(Number(await readFile(`${pid}.parent`, "utf8")));
  const file = path.join(nights.state, "suite", "budget.json");
  const spent = v.parse(v.object({ bytes: v.number() }), JSON.parse(await readFile(file, "utf8")));
  assert.equal(spent.bytes, 200_000);
  await restoreRclone(nights);
  const { backups, verification } = await nights.night(0);
  // A new day may have begun meanwhile, whose budget is whole.
  const before = verification.spent_before === 0 ? 0 : 200_000;
  assert.deepEqual(verification, {
    budget: 250_000,
    spent_before: before,
    spent: before + (before === 0 ? 200_000 : 50_000),
  });
  assert.equal(backups[0]?.outcome, "done");
});

test("clocks that jump: nothing crashes, what is scheduled runs, and each day has its budget", async (t) => {
  const simulation = await simulate(t, new Date("2026-05-10T03:00:00Z"), {
    VERIFY_BUDGET: "100000",
  });
  const { clock, sourceOf } = simulation;
  const daily = "[schedule]\ncron = 0 2 * * *\ntime_zone = UTC\n[verify]\nhash_every = 30d\n";
  await simulation.addBackup("home", daily);
  for (const name of ["a", "b", "c"])
    await writeFile(path.join(sourceOf("home"), name), Buffer.alloc(60_000, name));
  const night = async (time: string) => {
    clock.now = Date.parse(time);
    const { outcome, backups, verification } = await simulation.night();
    assert.equal(outcome, "done", JSON.stringify(backups));
    assert.ok(verification.spent <= 100_000, JSON.stringify(verification));
    const kinds = backups.flatMap(({ verifications }) => verifications.map(({ kind }) => kind));
    return [backups.length, kinds.join(" "), verification.spentBefore];
  };
  assert.deepEqual(await night("2026-05-10T03:00:00Z"), [1, "hash next", 0]);
  // Nothing is due twice a day.
  assert.deepEqual(await night("2026-05-10T05:00:00Z"), [0, "", 0]);
  // Ten years ahead and back: what was written then is not believed.
  assert.deepEqual(await night("2036-05-10T03:00:00Z"), [1, "hash next", 0]);
  assert.deepEqual(await night("2026-05-11T03:00:00Z"), [1, "hash next", 0]);
  assert.deepEqual(await night("2026-05-11T05:00:00Z"), [0, "", 0]);
  // An hour back on the same day: it ran already.
  assert.deepEqual(await night("2026-05-11T02:30:00Z"), [0, "", 0]);
  assert.deepEqual(await night("2026-05-12T03:00:00Z"), [1, "next", 0]);
  // A day back: it is due by that clock, and pays from that day's budget.
  assert.deepEqual(await night("2026-05-11T03:00:00Z"), [1, "next", 0]);
  const { backups, outcome } = await simulation.status();
  assert.equal(outcome, "done", JSON.stringify(backups));
});
