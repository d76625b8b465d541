import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { timerOf } from "../lib/hooks/hook.ts";
import { failureTimeout } from "../lib/jobs/backup/commands.ts";
import { parseDuration } from "../lib/units/duration.ts";
import {
  appears,
  fillSource,
  gone,
  lives,
  replaceRclone,
  tellPid,
  writeHome,
} from "./helpers/fault.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/* A hook that fails, hangs or talks without end does no harm beyond its own. */

/** A script of its own, since values of the configuration are one line. */
async function hook(sandbox: Sandbox, script: string, more = ""): Promise<string> {
  const file = path.join(sandbox.root, "hook.sh");
  await writeFile(file, script);
  await writeHome(sandbox, `pre_command = sh ${file}\n${more}`);
  return file;
}

test("a pre_command that fails: 1 with its last lines, and rclone was never told to sync", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const failureFile = path.join(sandbox.root, "failure");
  await hook(
    sandbox,
    "seq 1 50; echo 'out of luck' >&2; exit 7",
    `failure_command = echo "$BACKUP_EXIT_CODE $BACKUP_RESULT $BACKUP_MESSAGE" > ${failureFile}\n`,
  );
  const calls = path.join(sandbox.root, "calls");
  await replaceRclone(sandbox, `echo "$1" >> '${calls}'; exec "$REAL" "$@"`);
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /^rclone-backup: error: pre_command: expected exit code 0, found 7; it printed last:\n/,
  );
  assert.match(result.stderr, /^ {2}50\n(.*\n)*? {2}out of luck$|^ {2}out of luck$/m);
  assert.doesNotMatch(result.stderr, /^ {2}3$/m, "only the last lines");
  assert.doesNotMatch(await readFile(calls, "utf8"), /sync/);
  assert.match(await readFile(failureFile, "utf8"), /^1 failure pre_command: expected exit code 0/);
});

test("a pre_command that prints a megabyte, or 64 on one line: all is well, and a failure stays short", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  await hook(sandbox, "yes 'a line of output' | head -c 1m; yes 'and errors' | head -c 1m >&2");
  const quiet = await sandbox.backup(["home"]);
  assert.equal(quiet.code, 0, quiet.stderr);
  assert.equal(quiet.stderr + quiet.stdout, "");
  await hook(sandbox, "head -c 64m /dev/zero | tr '\\0' x; exit 1");
  const failed = await sandbox.backup(["--json", "home"], {
    env: { NODE_OPTIONS: "--max-old-space-size=64" },
  });
  assert.equal(failed.code, 1, failed.stderr.slice(0, 1000));
  assert.ok(failed.stderr.length < 2000, `${failed.stderr.length} characters`);
  assert.ok(failed.stdout.length < 3000, `${failed.stdout.length} characters`);
  assert.match(failed.stderr, /found 1; it printed last:\n {2}x+/);
});

test("what a hook prints is harmless on a terminal", async (t) => {
  const sandbox = await makeSandbox(t);
  await hook(sandbox, "printf '\\033[2Jcleared\\rback\\n'; exit 1");
  const result = await sandbox.backup(["-v", "home"]);
  assert.ok(result.stderr.includes("pre_command: \\x1b[2Jcleared\\x0dback"), result.stderr);
  assert.ok(!result.stderr.includes("\u001B"));
});

test("a pre_command that hangs is ended when its time is up, with all it started", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const pids = ["shell", "child", "stubborn"].map((name) => path.join(sandbox.root, name));
  const [shell = "", child = "", stubborn = ""] = pids;
  await hook(
    sandbox,
    `${tellPid(shell)}
echo waiting
sh -c '${tellPid(child).replaceAll("'", `"`)}; exec sleep 1000' &
(trap '' TERM; ${tellPid(stubborn, "$(sh -c 'echo $PPID')")}; while :; do sleep 1; done) >/dev/null 2>&1 &
wait`,
    "timeout = 2s\n",
  );
  const began = performance.now();
  const result = await sandbox.backup(["home"]);
  const took = performance.now() - began;
  assert.equal(result.code, 1, result.stderr);
  assert.match(
    result.stderr,
    /pre_command: expected it to end within 2 s, found it still running and ended it; it printed last:\n {2}waiting\n/,
  );
  assert.match(result.stderr, /hint: raise \[default\] timeout/);
  assert.ok(took < 30_000, `took ${took} ms`);
  for (const file of pids) assert.ok(!(await lives(Number(await appears(file)))), file);
});

test("a child of a hook that left its group and holds its output does not keep the run", async (t) => {
  const sandbox = await makeSandbox(t);
  const escaped = path.join(sandbox.root, "escaped");
  await hook(
    sandbox,
    `setsid sh -c '${tellPid(escaped).replaceAll("'", `"`)}; exec sleep 1000' &
wait`,
    "timeout = 2s\n",
  );
  const result = await sandbox.backup(["home"], { timeout: 30_000 });
  const pid = Number(await appears(escaped));
  sandbox.defer(() => process.kill(pid, "SIGKILL"));
  assert.equal(result.code, 1, result.stderr);
});

test("what a hook leaves in the background runs on, and all that the hook itself printed is told", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const tunnel = path.join(sandbox.root, "tunnel");
  await hook(
    sandbox,
    `sh -c '${tellPid(tunnel).replaceAll("'", `"`)}; exec sleep 1000' &
while ! [ -e ${tunnel} ]; do :; done
seq 5000
printf 'tunnel up'`,
    "timeout = 30s\n",
  );
  const result = await sandbox.backup(["-v", "home"]);
  const pid = Number(await appears(tunnel));
  sandbox.defer(() => process.kill(pid, "SIGKILL"));
  assert.equal(result.code, 0, result.stderr);
  const printed = result.stderr.match(/(?<=^rclone-backup: pre_command: ).*/gm) ?? [];
  assert.deepEqual([printed.length, ...printed.slice(-2)], [5001, "5000", "tunnel up"]);
  assert.ok(await lives(pid), "it is still needed");
});

test("what a hook leaves in the background may talk for ever: it is not listened to", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const daemon = path.join(sandbox.root, "daemon");
  await hook(
    sandbox,
    `(${tellPid(daemon, "$(sh -c 'echo $PPID')")}; while :; do echo again; sleep 0.1; done) &
while ! [ -e ${daemon} ]; do :; done
echo no luck >&2
exit 3`,
    "timeout = 30s\n",
  );
  const result = await sandbox.backup(["home"]);
  assert.match(result.stderr, /pre_command: expected exit code 0, found 3; /);
  // What it writes to, nobody reads any more.
  await gone(Number(await appears(daemon)));
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} while a pre_command hangs: 130, and its children are gone`, async (t) => {
    const sandbox = await makeSandbox(t);
    await fillSource(sandbox, { a: 1 });
    const child = path.join(sandbox.root, "child");
    const failure = path.join(sandbox.root, "failure");
    await hook(
      sandbox,
      `sh -c '${tellPid(child).replaceAll("'", `"`)}; exec sleep 1000' & wait`,
      `failure_command = echo "$BACKUP_EXIT_CODE $BACKUP_RESULT $BACKUP_MESSAGE" > ${failure}\n`,
    );
    const live = sandbox.startBackup(["home"]);
    const pid = Number(await appears(child));
    live.kill(signal);
    live.kill(signal);
    const result = await live.done;
    assert.equal(result.code, 130, result.stderr);
    assert.match(result.stderr, new RegExp(`error: stopped by ${signal}`));
    await gone(pid);
    const told = await readFile(failure, "utf8");
    assert.equal(told, `130 failure stopped by ${signal}\n`, "it had begun to do something");
    // The next one is not told that another run holds the lock.
    await writeHome(sandbox);
    assert.equal((await sandbox.backup(["home"])).code, 0);
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} in the middle of a sync: failure_command undoes what pre_command made`, async (t) => {
    const sandbox = await makeSandbox(t);
    await fillSource(sandbox, { a: 1 });
    const snapshot = path.join(sandbox.root, "snapshot");
    const syncing = path.join(sandbox.root, "syncing");
    await writeHome(
      sandbox,
      `pre_command = touch ${snapshot}\nfailure_command = rm ${snapshot}; echo undone\n`,
    );
    await replaceRclone(
      sandbox,
      `[ "$1" != sync ] || { ${tellPid(syncing)}; exec sleep 1000; }; exec "$REAL" "$@"`,
    );
    const live = sandbox.startBackup(["-v", "home"]);
    const pid = Number(await appears(syncing));
    await readFile(snapshot);
    live.kill(signal);
    const result = await live.done;
    assert.equal(result.code, 130, result.stderr);
    assert.match(result.stderr, /failure_command: undone/);
    assert.doesNotMatch(result.stderr, /warning/);
    await assert.rejects(readFile(snapshot), "the snapshot stays");
    await gone(pid);
  });
}

test("a stopped run that began no pre_command has nothing to undo", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const [failure, syncing] = ["failure", "syncing"].map((name) => path.join(sandbox.root, name));
  assert.ok(failure !== undefined && syncing !== undefined);
  await writeHome(sandbox, `failure_command = touch ${failure}\n`);
  await replaceRclone(
    sandbox,
    `[ "$1" != sync ] || { ${tellPid(syncing)}; exec sleep 1000; }; exec "$REAL" "$@"`,
  );
  const live = sandbox.startBackup(["home"]);
  await appears(syncing);
  live.kill("SIGTERM");
  assert.equal((await live.done).code, 130);
  await assert.rejects(readFile(failure));
});

test("a failure_command that hangs does not keep a stopped run: timeout holds for it", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  const [begun, child] = ["begun", "child"].map((name) => path.join(sandbox.root, name));
  assert.ok(begun !== undefined && child !== undefined);
  // pre_command has time enough: it is stopped, not timed out.
  await hook(
    sandbox,
    `${tellPid(begun)}; exec sleep 1000`,
    `failure_command = ${tellPid(child)}; exec sleep 1000\ntimeout = 5s\n`,
  );
  const live = sandbox.startBackup(["home"]);
  await appears(begun);
  live.kill("SIGTERM");
  const result = await live.done;
  assert.equal(result.code, 130, result.stderr);
  assert.match(result.stderr, /warning: failure_command: expected it to end within 5 s/);
  await gone(Number(await appears(child)));
});

test("without a timeout, failure_command of a stopped run has 30 s; of any other run, no limit", () => {
  const stopped = true;
  assert.equal(failureTimeout(undefined, stopped), 30);
  assert.equal(failureTimeout(3600, stopped), 30);
  assert.equal(failureTimeout(5, stopped), 5);
  assert.equal(failureTimeout(undefined, !stopped), undefined);
  assert.equal(failureTimeout(3600, !stopped), 3600);
});

test("no timeout that can be configured is more than a timer holds, which would be due at once", () => {
  const most = parseDuration("24d");
  assert.throws(() => parseDuration(String(most + 1)), /at most 24d/);
  assert.equal(timerOf(most), 24 * 86_400_000);
  for (const seconds of [most, most + 86_400, 1e12]) assert.ok(timerOf(seconds) < 2 ** 31);
  assert.equal(timerOf(0.0001), 1, "a timer takes whole milliseconds");
});

test("a hook with the longest timeout runs", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  await hook(sandbox, "true", "timeout = 24d\n");
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, "");
});

test("a post_command that fails is a warning: the backup is done", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1 });
  await writeHome(sandbox, "post_command = echo no mail; exit 3\n");
  const result = await sandbox.backup(["--json", "home"]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(
    result.stderr,
    /^rclone-backup: warning: post_command: expected exit code 0, found 3/,
  );
  const document: unknown = JSON.parse(result.stdout);
  assert.ok(typeof document === "object" && document !== null && "result" in document);
  assert.equal(document.result, "warning");
});

test("a hook that takes the source away is found before anything is deleted", async (t) => {
  const sandbox = await makeSandbox(t);
  await fillSource(sandbox, { a: 1, b: 1 });
  await writeHome(sandbox);
  assert.equal((await sandbox.backup(["home"])).code, 0);
  await hook(sandbox, `rm -r '${sandbox.source}'`);
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 5, result.stderr);
  const held = await sandbox.runRclone(["lsf", "secret:"]);
  assert.equal(held.stdout, "a\nb\n");
  await rm(sandbox.source, { recursive: true, force: true });
});
