import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { runGroup, type GroupOptions } from "../lib/process/group.ts";
import { sortOutput } from "../lib/process/sort.ts";
import { writeFailure } from "../lib/process/writefailure.ts";
import { appears, gone, tellPid } from "./helpers/fault.ts";

/* Children that we run end with us: whatever happens here, none is left to work on alone. */

function scratch(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "rclone-backups-group-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function shell(script: string, more: Partial<GroupOptions> = {}): GroupOptions {
  const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
  return { command: ["sh", "-c", script], env, ...more };
}

test("a callback that throws ends the command, and its error comes through", async (t) => {
  const pidFile = path.join(scratch(t), "pid");
  const cause = new Error("no room for this line");
  const onStderr = (): void => {
    throw cause;
  };
  const work = runGroup(shell(`${tellPid(pidFile)}; echo line >&2; exec sleep 1000`, { onStderr }));
  await assert.rejects(work, cause);
  await gone(Number(await appears(pidFile)));
});

test("output that can't be written ends the command, and is no short output", async (t) => {
  const output = path.join(scratch(t), "out");
  const work = sortOutput(output, "/dev/null/none", {}, async (stdoutTo) =>
    runGroup(shell("yes; exit 0", { stdoutTo })),
  );
  await assert.rejects(work, /^Failure: sort: expected a sorted listing/);
});

for (const hasPipes of [true, false]) {
  test(`output is sorted whole (${hasPipes ? "through a pipe" : "where no pipe can be made"})`, async (t) => {
    const directory = scratch(t);
    const output = path.join(directory, "out");
    if (!hasPipes) mkdirSync(`${output}.pipe`);
    const { code } = await sortOutput(output, directory, {}, async (stdoutTo) =>
      runGroup(shell("seq 300000 -1 1", { stdoutTo })),
    );
    assert.equal(code, 0);
    const lines = readFileSync(output, "utf8").trimEnd().split("\n");
    assert.equal(lines.length, 300_000);
    assert.deepEqual(lines.slice(0, 3), ["1", "10", "100"]);
    assert.deepEqual(readdirSync(directory), hasPipes ? ["out"] : ["out", "out.pipe"]);
  });

  test(`a producer that can't be started fails alone (${hasPipes ? "pipe" : "no pipe"})`, async (t) => {
    const directory = scratch(t);
    const output = path.join(directory, "out");
    if (!hasPipes) mkdirSync(`${output}.pipe`);
    const missing = { command: [path.join(directory, "missing")], env: {} };
    const work = sortOutput(output, directory, {}, async (stdoutTo) =>
      runGroup({ ...missing, stdoutTo }),
    );
    await assert.rejects(work, /missing: expected a program that can be started/);
    const broken = sortOutput(output, directory, {}, async () => {
      throw new Error("broken before it began");
    });
    await assert.rejects(broken, /broken before it began/);
  });
}

test("the last lines of a command that is ended are told", async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const { signal } = await runGroup(
    shell("trap 'echo bye; exit 3' TERM; echo hello; while :; do sleep 0.05; done", {
      signal: stop.signal,
      onStdout: (line) => {
        lines.push(line);
        stop.abort();
      },
    }),
  );
  assert.equal(signal, undefined);
  assert.deepEqual(lines, ["hello", "bye"]);
});

test("a signal that was aborted before ends the command at once", async () => {
  const began = performance.now();
  const result = await runGroup(shell("sleep 1000", { signal: AbortSignal.abort() }));
  assert.equal(result.signal, "SIGTERM");
  assert.ok(performance.now() - began < 10_000);
});

test("a program that is not there is a failure of its name", async () => {
  const command = ["/nowhere/program"];
  await assert.rejects(runGroup({ command, env: {} }), {
    message: "/nowhere/program: expected a program that can be started, found none",
  });
});

test("a full disk is told as such, and where", () => {
  const full = Object.assign(new Error("write"), { code: "ENOSPC" });
  const failure = writeFailure("/state/x", full);
  assert.equal(failure.message, "cannot write /state/x: the disk is full (ENOSPC)");
  assert.equal(writeFailure("/state/y", failure), failure, "told once");
  const other = new RangeError("not the system's");
  assert.equal(writeFailure("/state/x", other), other);
});
