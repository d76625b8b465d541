import assert from "node:assert/strict";
import { access, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { processStart } from "../lib/state/process.ts";
import { callsOf, lines, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// Hooks, and the order of everything around them. They don't depend on rclone's version, so most
// stories run against one.

/** Hooks that each add a line to a file, and a rclone that adds its own. */
async function traced(backup: TestBackup, more: Record<string, string> = {}): Promise<void> {
  const log = path.join(backup.root, "steps");
  await backup.configure({
    default: {
      pre_command: `echo pre >>${log}`,
      post_command: `echo post >>${log}`,
      failure_command: `echo failure >>${log}`,
      ...more,
    },
  });
  const step =
    "last=; for word; do case $word in --dry-run) last=dry;; esac; done; " +
    `case "$1$last" in sync) echo sync >>'${log}';; lsf) case "$*" in *'${backup.source}'*) ` +
    `[ -e '${backup.source}/special-files.tar.gz' ] && echo archive >>'${log}'; ` +
    `echo list >>'${log}';; esac;; esac`;
  await backup.trace(step);
}

async function steps(backup: TestBackup): Promise<string[]> {
  const log = path.join(backup.root, "steps");
  const text = await readFile(log, "utf8").catch(() => "");
  await rm(log, { force: true });
  return lines(text);
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`steps come in order (${rclone.version} rclone)`, async (t) => {
    const backup = await makeBackup(t, rclone, {}, { a: "1" });
    await traced(backup, {
      pre_command: `ln -s target ${backup.source}/link; echo pre >>${backup.root}/steps`,
    });
    await backup.expect(0);
    assert.deepEqual(await steps(backup), ["pre", "archive", "list", "sync", "post"]);
    assert.deepEqual(
      await backup.stored(),
      ["a", "special-files.tar.gz"],
      "what pre_command made is in the backup",
    );
  });

  test(`a pre_command that fails ends the run before rclone is asked to sync (${rclone.version} rclone)`, async (t) => {
    const backup = await makeBackup(t, rclone, {}, { a: "1" });
    await traced(backup, { pre_command: "echo it broke; false" });
    const result = await backup.expect(1, { stderr: /pre_command: expected exit code 0, found 1/ });
    assert.match(result.stderr, /it broke/, "what it printed last");
    assert.deepEqual(await steps(backup), ["failure"]);
    assert.deepEqual(callsOf(await backup.calls(), "sync"), []);
    assert.deepEqual((await backup.record()).last?.exitCode, 1);
  });
}

test("a refusal after pre_command runs failure_command, not post_command", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, manyFiles(4));
  await traced(backup, {
    pre_command: `rm ${backup.source}/file*; echo pre >>${backup.root}/steps`,
  });
  await backup.expect(5, { stderr: /source: expected files as in the last run \(4 files\)/ });
  assert.deepEqual(await steps(backup), ["pre", "list", "failure"]);
  assert.equal((await backup.stored()).length, 4);
});

test("requirements hold before pre_command", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  for (const [key, value, message] of [
    ["require_file", ".disk", /guards.require_file: expected \.disk to exist/],
    ["require_mount", backup.source, /guards.require_mount: expected a mount at .*\/src/],
  ] as const) {
    const mark = path.join(backup.root, "pre-ran");
    await backup.configure({
      default: { pre_command: `touch ${mark}` },
      guards: { [key]: value },
    });
    await backup.expect(5, { stderr: message });
    await assert.rejects(access(mark), "pre_command ran");
    assert.deepEqual(await backup.stored("secret:").catch(() => []), []);
  }
});

test("requirements hold after pre_command too", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1", ".disk": "" });
  await backup.configure({
    default: {
      pre_command: `rm ${backup.source}/.disk`,
      failure_command: `echo "$BACKUP_EXIT_CODE" >${backup.root}/told`,
    },
    guards: { require_file: ".disk" },
  });
  await backup.trace();
  await backup.expect(5, { stderr: /require_file/ });
  assert.equal(await readFile(path.join(backup.root, "told"), "utf8"), "5\n");
  assert.deepEqual(callsOf(await backup.calls(), "sync"), []);
  await backup.write({ ".disk": "" });
  await backup.configure({ guards: { require_file: path.join(backup.source, ".disk") } });
  await backup.expect(0);
});

test("a requirement that pre_command fulfils only afterwards is refused: it must hold before", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await backup.configure({
    default: { pre_command: `touch ${backup.source}/.disk` },
    guards: { require_file: ".disk" },
  });
  await backup.expect(5, { stderr: /require_file/ });
});

test("hooks run for backups alone: not in a dry run, not for --ls, --newest, --filters, --verify", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, { a: "1" });
  await traced(backup);
  for (const args of [["-n"], ["--ls"], ["--newest"], ["--filters"], ["--verify", "all"]]) {
    const result = await backup.run(args);
    assert.equal(result.code, 0, result.stderr);
  }
  assert.deepEqual(
    (await steps(backup)).filter((step) => step !== "list"),
    [],
  );
});

test("a post_command that fails is a warning: exit 0 and a line on stderr", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await backup.configure({ default: { post_command: "echo so sad; exit 3" } });
  const result = await backup.expect(0, {
    stderr: /^rclone-backup: warning: post_command: expected exit code 0, found 3/,
  });
  assert.match(result.stderr, /so sad/);
  const { last, good } = await backup.record();
  assert.deepEqual([last?.result, last?.exitCode], ["warning", 0]);
  assert.equal(last?.run, good?.run, "the backup itself is good");
  assert.match(last?.warnings.join("\n") ?? "", /post_command/);
});

test("a failure_command that fails doesn't hide why the run failed", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await backup.configure({ default: { pre_command: "exit 9", failure_command: "exit 8" } });
  const { stderr } = await backup.expect(1);
  assert.match(stderr, /error: pre_command: expected exit code 0, found 9/);
  assert.match(stderr, /warning: failure_command: expected exit code 0, found 8/);
});

test("a pre_command that ends with 75 skips the run without failure_command", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await traced(backup, { pre_command: "exit 75" });
  await backup.expect(75, { stderr: /pre_command: exit code 75, so this run is skipped/ });
  assert.deepEqual(await steps(backup), []);
  assert.equal((await backup.record()).last?.result, "skipped");
});

test("a hook that hangs is ended when its time is up, with all it started", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const pid = path.join(backup.root, "pid");
  await backup.configure({
    default: { pre_command: `sleep 300 & echo $! >${pid}; wait`, timeout: "1s" },
  });
  await backup.expect(1, { stderr: /pre_command: expected it to end within 1 s/ });
  const started = Number(await readFile(pid, "utf8"));
  assert.equal(processStart(started), undefined, "the sleep it started lives on");
});

test("a hook that prints a megabyte is cut in the message", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await backup.configure({
    default: { pre_command: "yes 0123456789 | head -c 1100000; echo; echo the end; exit 1" },
  });
  const { stderr } = await backup.expect(1, { stderr: /the end/ });
  assert.ok(stderr.length < 10_000, `${stderr.length} characters`);
});

test("hooks are told what they belong to and how it went", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, manyFiles(3));
  const env = (name: string): string => `env | grep ^BACKUP_ | sort >${backup.root}/${name}`;
  const told = async (name: string): Promise<Record<string, string>> =>
    Object.fromEntries(
      lines(await readFile(path.join(backup.root, name), "utf8")).map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
  await backup.configure({ default: { pre_command: env("pre"), post_command: env("post") } });
  await backup.expect(0);
  const run = (await backup.record()).last?.run ?? "";
  const common = {
    BACKUP_NAME: "home",
    BACKUP_CONFIG: path.join(backup.config, "home.conf"),
    BACKUP_SOURCE: backup.source,
    BACKUP_DESTINATION: "secret:",
    BACKUP_RUN: run,
  };
  assert.deepEqual(await told("pre"), common);
  assert.deepEqual(await told("post"), {
    ...common,
    BACKUP_RESULT: "success",
    BACKUP_EXIT_CODE: "0",
    BACKUP_MESSAGE: "",
  });
  await backup.write({ file0: "changed", file1: "changed" });
  await backup.expect(0, { stderr: /more than half/ });
  const warned = await told("post");
  assert.equal(warned["BACKUP_RESULT"], "warning", "the same result as in the state");
  assert.equal(warned["BACKUP_RESULT"], (await backup.record()).last?.result);
  await backup.configure({ default: { failure_command: env("failure"), pre_command: "exit 4" } });
  await backup.expect(1);
  const failure = await told("failure");
  assert.equal(failure["BACKUP_RESULT"], "failure");
  assert.equal(failure["BACKUP_EXIT_CODE"], "1");
  assert.match(failure["BACKUP_MESSAGE"] ?? "", /pre_command: expected exit code 0, found 4/);
});

test("a secret of the destination's connection string is in no hook's environment", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const store = path.join(backup.store, "direct");
  await backup.configure({
    default: {
      destination: `:alias,remote=${store},description=hunter2secret:`,
      post_command: `env >${backup.root}/env`,
    },
  });
  await backup.expect(0);
  const env = await readFile(path.join(backup.root, "env"), "utf8");
  assert.match(env, /BACKUP_DESTINATION=:alias,remote=\*\*\*,description=\*\*\*:/);
  assert.doesNotMatch(env, /hunter2secret/);
});
