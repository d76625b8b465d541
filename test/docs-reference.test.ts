import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
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
    "coverage.json",
    "failures.list",
    "ledger",
    "ledger.lock",
    "manifest.gz",
    "mend.list",
    "refused.list",
    "runs.ndjson",
    "state.json",
  ]);
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
});
