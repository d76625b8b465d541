import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Failure } from "../lib/errors.ts";
import { acquireLock } from "../lib/state/lock.ts";
import type { Lock, LockOptions } from "../lib/state/lock.ts";
import { run, start } from "./helpers/command.ts";
import type { Live } from "./helpers/command.ts";

const lockModule = import.meta.resolve("../lib/state/lock.ts");

async function lockFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-lock-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return path.join(directory, "lock");
}

/** Takes the lock in this process for the length of a test. */
async function take(
  t: TestContext,
  file: string,
  options: Partial<LockOptions> = {},
): Promise<Lock> {
  const lock = await acquireLock(file, { mode: "exclusive", command: "test", ...options });
  t.after(async () => lock.release());
  return lock;
}

/** Another process that holds the lock until it is killed; with a child, which inherits it, if asked for. */
async function holdElsewhere(
  t: TestContext,
  file: string,
  options: { mode?: LockOptions["mode"]; withChild?: boolean } = {},
): Promise<{ holder: Live; childPid: number }> {
  const script = `
    const { spawn } = await import("node:child_process");
    const { acquireLock } = await import(${JSON.stringify(lockModule)});
    const lock = await acquireLock(process.argv[1], { mode: process.argv[2], command: "elsewhere",
      now: () => new Date("2024-05-06T07:08:09Z") });
    const child = process.argv[3] === "true"
      ? spawn("sleep", ["300"], { stdio: ["ignore", "ignore", "ignore", lock.fd] })
      : undefined;
    console.log("held", child?.pid ?? 0);
    setInterval(() => {}, 1000);`;
  const { mode = "exclusive", withChild = false } = options;
  const holder = start(process.execPath, [
    ...["--import", "tsx", "--input-type=module", "-e", script],
    ...[file, mode, String(withChild)],
  ]);
  t.after(async () => {
    holder.killGroup("SIGKILL");
    await holder.done;
  });
  const childPid = Number((await holder.waitFor(/held (\d+)/))[1]);
  return { holder, childPid };
}

async function killed(holder: Live): Promise<void> {
  const gone = new Promise((resolve) => holder.child.once("exit", resolve));
  holder.kill("SIGKILL");
  await gone;
}

async function refusal(attempt: Promise<unknown>): Promise<Failure> {
  try {
    await attempt;
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error;
  }
  throw new Error("the lock was given");
}

test("while a live run holds the lock, another is told which at once", async (t) => {
  const file = await lockFile(t);
  const { holder } = await holdElsewhere(t, file);
  const error = await refusal(
    acquireLock(file, { mode: "exclusive", command: "test", orphanWaitMs: 60_000 }),
  );
  assert.equal(error.outcome, "skipped");
  assert.equal(
    error.message,
    `another run holds the lock: elsewhere, process ${holder.pid}, since 2024-05-06T07:08:09.000Z`,
  );
  assert.equal((await refusal(take(t, file, { mode: "shared" }))).outcome, "skipped");
});

test("a live run is waited for where there is patience with it, until that ends or the wait is stopped", async (t) => {
  const file = await lockFile(t);
  const { holder } = await holdElsewhere(t, file);
  const waited: string[] = [];
  const stop = new AbortController();
  const attempt = (ms: number, then: () => void): ReturnType<typeof acquireLock> =>
    acquireLock(file, {
      ...{ mode: "exclusive", command: "test", signal: stop.signal },
      patience: {
        with: ({ command }) => command === "elsewhere",
        ms,
        onWait: ({ command }) => {
          waited.push(command);
          then();
        },
      },
    });
  assert.match((await refusal(attempt(0, () => {}))).message, /another run holds .*elsewhere/);
  assert.equal((await refusal(attempt(60_000, () => stop.abort()))).outcome, "interrupted");
  assert.deepEqual(waited.splice(0), ["elsewhere", "elsewhere"]);
  const freed = acquireLock(file, {
    ...{ mode: "exclusive", command: "test" },
    patience: { with: () => true, ms: 60_000, onWait: () => holder.kill("SIGKILL") },
  });
  await (await freed).release();
});

test("kill -9 of the holder frees the lock", async (t) => {
  const file = await lockFile(t);
  const { holder } = await holdElsewhere(t, file);
  await killed(holder);
  await take(t, file, { orphanWaitMs: 0 });
});

test("a released lock can be taken again, and release may be called twice", async (t) => {
  const file = await lockFile(t);
  const lock = await take(t, file);
  assert.match(await readFile(file, "utf8"), /"command":"test"/);
  assert.equal((await refusal(take(t, file))).outcome, "skipped");
  await lock.release();
  await lock.release();
  assert.equal(await readFile(file, "utf8"), "");
  await take(t, file, { orphanWaitMs: 0 });
});

test("a child that outlives its killed run keeps the lock, and the wait ends when it ends", async (t) => {
  const file = await lockFile(t);
  const { holder, childPid } = await holdElsewhere(t, file, { withChild: true });
  await killed(holder);

  const early = await refusal(take(t, file, { orphanWaitMs: 250 }));
  assert.equal(early.outcome, "skipped");
  assert.match(
    early.message,
    new RegExp(`^a run of elsewhere \\(process ${holder.pid}, since 2024.*still holds the lock$`),
  );
  assert.match(early.hint ?? "", /fuser/);

  const waiting = take(t, file, { orphanWaitMs: 60_000 });
  process.kill(childPid, "SIGKILL");
  await waiting;
});

test("the wait for an orphan can be stopped", async (t) => {
  const file = await lockFile(t);
  const { holder } = await holdElsewhere(t, file, { withChild: true });
  await killed(holder);
  const stop = new AbortController();
  const waiting = refusal(take(t, file, { signal: stop.signal, orphanWaitMs: 60_000 }));
  stop.abort();
  assert.equal((await waiting).outcome, "interrupted");
});

test("a pid that was used again is not taken for the holder", async (t) => {
  const file = await lockFile(t);
  const { holder } = await holdElsewhere(t, file, { withChild: true });
  await killed(holder);
  // The dead holder's note, had it had the pid that this test has now.
  const note = await readFile(file, "utf8");
  assert.match(note, /"pid":\d+,/);
  await writeFile(file, note.replace(/"pid":\d+/, `"pid":${process.pid}`));
  const error = await refusal(take(t, file, { orphanWaitMs: 0 }));
  assert.match(error.message, /has ended, but something it started/);
});

test("readers share the lock, keep a writer out, and let it in when the last has gone", async (t) => {
  const file = await lockFile(t);
  const first = await take(t, file, { mode: "shared", command: "du one" });
  const second = await take(t, file, { mode: "shared", command: "du two" });
  await first.release();
  const error = await refusal(take(t, file, { orphanWaitMs: 60_000 }));
  assert.equal(error.outcome, "skipped");
  assert.match(error.message, /du two/);
  await second.release();
  await take(t, file, { orphanWaitMs: 0 });
});

test("a reader in another process keeps a writer out", async (t) => {
  const file = await lockFile(t);
  await holdElsewhere(t, file, { mode: "shared" });
  await take(t, file, { mode: "shared" });
  assert.match((await refusal(take(t, file))).message, /another run holds the lock/);
});

test("notes of many readers don't pile up, and broken ones do no harm", async (t) => {
  const file = await lockFile(t);
  await appendFile(file, `not JSON\n{"pid":"x"}\nnull\n${"x".repeat(20_000)}\n`);
  const lock = await take(t, file, { mode: "shared" });
  assert.ok((await readFile(file)).length < 1000);
  assert.match((await refusal(take(t, file))).message, /another run/);
  await lock.release();
});

test("without flock(1) the error names the package", async (t) => {
  const file = await lockFile(t);
  const script = `
    const { acquireLock } = await import(${JSON.stringify(lockModule)});
    try { await acquireLock(process.argv[1], { mode: "shared", command: "test" }); }
    catch (error) { console.log(error.outcome, error.message, "|", error.hint); }`;
  const result = await run(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", script, file],
    { env: { PATH: path.dirname(file) } },
  );
  assert.match(result.stdout, /^failed the program flock .* not found \| install util-linux/);
});

test("a lock file that can't be opened is named, and a link is not followed", async (t) => {
  const file = await lockFile(t);
  const missing = await refusal(take(t, path.join(file, "..", "missing", "lock")));
  assert.equal(missing.outcome, "failed");
  assert.match(missing.message, /missing\/lock \(ENOENT\)/);
  assert.match(missing.hint ?? "", /the directory .*missing must exist/);
  await symlink("/dev/null", file);
  assert.match((await refusal(take(t, file))).message, /\(ELOOP\)/);
  await mkdir(`${file}.d`);
  assert.match((await refusal(take(t, `${file}.d`))).message, /\(EISDIR\)/);
});
