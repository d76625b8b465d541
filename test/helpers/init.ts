import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { compiled, run, type Result, type RunOptions } from "./command.ts";
import type { Sandbox } from "./sandbox.ts";

/** Runs `rclone-backups` of the checkout in a sandbox. */
export async function suite(
  box: Sandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return run(process.execPath, [compiled("rclone-backups"), ...args], {
    cwd: box.root,
    ...options,
    env: { ...box.env, ...options.env },
  });
}

/** The commands of a recovery sheet: what is indented by four spaces, as it stands. */
function sheetCommands(sheet: string): string {
  const lines = sheet.split("\n").filter((line) => line.startsWith("    "));
  assert.ok(lines.length >= 5, "expected commands on the sheet");
  return lines.map((line) => `${line.slice(4)}\n`).join("");
}

/** Types a sheet's commands into a shell, on a machine that has nothing but rclone; its new HOME. */
export async function followSheet(
  box: Sandbox,
  sheet: string,
  answers = "",
): Promise<{ home: string; result: Result }> {
  const home = await mkdtemp(path.join(box.root, "new-machine-"));
  const script = path.join(home, "..", `${path.basename(home)}.sh`);
  await writeFile(script, `set -e\n${sheetCommands(sheet)}`);
  const result = await run("sh", [script], {
    cwd: home,
    env: { PATH: box.env["PATH"] ?? "", HOME: home },
    input: answers,
  });
  return { home, result };
}

/** Every file and link below a directory, with its content or target. */
export async function treeOf(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(directory, file);
    if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(file)}`;
    else if (entry.isFile()) found[name] = (await readFile(file)).toString("base64");
  }
  return found;
}

/** Removes all that a machine that burnt down would take with it; the store stays. */
export async function burnDown(box: Sandbox): Promise<void> {
  for (const place of [box.home, box.config, box.state, box.source, box.rcloneConf])
    await rm(place, { recursive: true, force: true });
  await mkdir(box.home);
}
