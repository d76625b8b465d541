import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { exitCodes } from "../lib/errors.ts";
import { compiled, projectRoot, run } from "./helpers/command.ts";
import { readPage } from "./helpers/pages.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/** `-n, --dry-run` and so on, as the help's columns have them. */
async function helpOptions(): Promise<string[]> {
  const { stdout } = await run(process.execPath, [compiled("rclone-backup"), "--help"]);
  const [, options = ""] = stdout.split("\nOptions:\n");
  const [list = ""] = options.split("\n\n");
  return [...list.matchAll(/^ {2}(-\S.*?)(?: {2,}.*)?$/gm)]
    .map(([, flags = ""]) => flags)
    .toSorted();
}

test("docs/rclone-backup.md has the options of --help, each once", async () => {
  const documented = [...readPage("docs/rclone-backup.md").matchAll(/^- `(-[^`]+)`:/gm)]
    .map(([, flags = ""]) => flags)
    .toSorted();
  assert.ok(documented.length >= 18, `only ${documented.length} options`);
  assert.deepEqual(documented, await helpOptions());
});

test("docs/exit-codes.md has every exit code with its name, and --help has them too", async () => {
  const rows = [...readPage("docs/exit-codes.md").matchAll(/^\| (\d+) \| `(\w+)` \|/gm)];
  assert.deepEqual(
    Object.fromEntries(rows.map(([, code, name = ""]) => [name, Number(code)])),
    exitCodes,
  );
  const { stdout } = await run(process.execPath, [compiled("rclone-backup"), "--help"]);
  const [, help = ""] = stdout.split("Exit codes:\n");
  assert.deepEqual(
    [...help.matchAll(/^ {2}(\d+) /gm)].map(([, code]) => Number(code)),
    Object.values(exitCodes),
  );
});

test("docs/architecture.md names every folder of the library", () => {
  const page = readPage("docs/architecture.md");
  const folders = readdirSync(path.join(projectRoot, "lib"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  assert.ok(folders.length >= 10, `only ${folders.length} folders`);
  assert.deepEqual(
    folders.filter((name) => !page.includes(`\`lib/${name}/\``)),
    [],
  );
});

test("docs/state.md lists every file that a backup leaves", async (t) => {
  const sandbox = await makeSandbox(t);
  const page = readPage("docs/state.md");
  await mkdir(path.join(sandbox.source, "sub"));
  for (const name of ["a", "b", "sub/c"]) await writeFile(path.join(sandbox.source, name), name);
  await sandbox.writeConfig("x", `[default]\nsource = ${sandbox.source}\ndestination = secret:x\n`);
  assert.equal((await sandbox.backup(["x"])).code, 0);
  await rm(path.join(sandbox.source, "a"));
  await rm(path.join(sandbox.source, "b"));
  assert.equal((await sandbox.backup(["x"])).code, 5);
  await writeFile(path.join(sandbox.source, "closed"), "");
  await chmod(path.join(sandbox.source, "closed"), 0);
  const partial = await sandbox.backup(["--set", "guards.max_delete=off", "x"], {
    unprivileged: true,
  });
  assert.equal(partial.code, 3, partial.stderr);
  const stored = await sandbox.runRclone([
    "lsf",
    "-R",
    "--files-only",
    path.join(sandbox.store, "secret"),
  ]);
  for (const name of stored.stdout.trim().split("\n"))
    await writeFile(path.join(sandbox.store, "secret", name), "damaged");
  assert.equal((await sandbox.backup(["--verify", "all", "x"], { unprivileged: true })).code, 4);
  const [directory = ""] = readdirSync(path.join(sandbox.state, "backups"));
  const names = readdirSync(path.join(sandbox.state, "backups", directory)).toSorted();
  assert.deepEqual(names, [
    "failures.list",
    "manifest.gz",
    "mend.list",
    "refused.list",
    "state.json",
  ]);
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
});

test("the cron job runs every backup, stays silent, and ends with the first bad exit code", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeFile(path.join(sandbox.source, "a"), "a");
  await writeFile(
    path.join(sandbox.bin, "rclone-backup"),
    `#!/bin/sh\nexec '${process.execPath}' '${compiled("rclone-backup")}' "$@"\n`,
  );
  await chmod(path.join(sandbox.bin, "rclone-backup"), 0o755);
  for (const name of ["data", "other"])
    await sandbox.writeConfig(
      name,
      `[default]\nsource = ${sandbox.source}\ndestination = secret:${name}\n`,
    );
  const text = readPage("cron/rclone-backup.cron.example");
  const job = path.join(sandbox.root, "job");
  const runJob = async (backups: string): Promise<ReturnType<typeof run>> => {
    assert.ok(text.includes('\nbackups="data"\n'));
    await writeFile(job, text.replace('\nbackups="data"\n', `\nbackups="${backups}"\n`));
    return run("sh", [job], { env: sandbox.env, cwd: "/" });
  };
  const good = await runJob("data");
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
  assert.equal((await sandbox.runRclone(["lsf", "secret:data"])).stdout, "a\n");

  const bad = await runJob("missing other");
  assert.equal(bad.code, 2, bad.stderr);
  assert.match(bad.stderr, /^rclone-backup: error: missing: /);
  assert.equal((await sandbox.runRclone(["lsf", "secret:other"])).stdout, "a\n");
});

test("the cron job can be run as it is", () => {
  const file = path.join(projectRoot, "cron/rclone-backup.cron.example");
  assert.match(readPage("cron/rclone-backup.cron.example"), /^#!\/bin\/sh\n/);
  assert.ok(statSync(file).size < 1500, "a thin caller");
});
