import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compiled, run } from "./command.ts";
import type { Sandbox } from "./sandbox.ts";
import { secretContent, secretFiles } from "./secretstore.ts";

/** Puts a program of our own in the place of rclone: `body` is a shell script in which "$REAL" is the real one. */
export async function replaceRclone(sandbox: Sandbox, body: string): Promise<string> {
  const file = path.join(sandbox.bin, "rclone");
  await rm(file, { force: true });
  await writeFile(file, `#!/bin/sh\nREAL='${sandbox.rclone.path}'\n${body}\n`);
  await chmod(file, 0o755);
  return file;
}

/** Shell that tells a pid in a file that appears whole. */
export function tellPid(file: string, pid = "$$"): string {
  return `echo "${pid}" > '${file}.tmp' && mv '${file}.tmp' '${file}'`;
}

/** Waits for a file that something else writes whole, and returns what is in it. */
export async function appears(file: string): Promise<string> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
    try {
      return (await readFile(file, "utf8")).trim();
    } catch {
      await sleep(20);
    }
  }
  throw new Error(`${file} did not appear`);
}

/** Whether a process lives; a zombie does not. */
export async function lives(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(")")));
  } catch {
    return false;
  }
}

/** Waits until a process has gone; throws when it stays. */
export async function gone(pid: number): Promise<void> {
  for (const deadline = performance.now() + 15_000; performance.now() < deadline;) {
    if (!(await lives(pid))) return;
    await sleep(20);
  }
  throw new Error(`process ${pid} still lives`);
}

/** What one run in a namespace ended with. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a shell script in mount and user namespaces of its own, so that it may mount what it likes,
 * root or not. In it `backup ARGUMENTS` runs the command, whatever it ends with; the results come
 * back in order. `$SRC`, `$STORE`, `$STATE` and `$ROOT` are the sandbox's directories.
 */
export async function inNamespace(sandbox: Sandbox, script: string): Promise<Ended[]> {
  const backup = `n=0
backup() {
  n=$((n + 1)); code=0
  "$NODE" "$CLI" "$@" >"$ROOT/run.$n.out" 2>"$ROOT/run.$n.err" </dev/null || code=$?
  echo "$code" >"$ROOT/run.$n.code"
}`;
  const { source, store, state, root } = sandbox;
  const { code, stdout, stderr } = await run(
    "unshare",
    ["-mr", "sh", "-ec", `${backup}\n${script}`],
    {
      cwd: root,
      env: {
        ...sandbox.env,
        ...{ SRC: source, STORE: store, STATE: state, ROOT: root },
        ...{ NODE: process.execPath, CLI: compiled("rclone-backup") },
      },
    },
  );
  if (code !== 0) throw new Error(`the script ended with ${code}:\n${stdout}${stderr}`);
  const results: Ended[] = [];
  for (let at = 1; ; at += 1) {
    const read = async (end: string): Promise<string> =>
      readFile(path.join(root, `run.${at}.${end}`), "utf8");
    const text = await read("code").catch(() => undefined);
    if (text === undefined) return results;
    results.push({ code: Number(text), stdout: await read("out"), stderr: await read("err") });
  }
}

/** Writes `home.conf` for the sandbox's source and a destination. */
export async function writeHome(
  sandbox: Sandbox,
  more = "",
  destination = "secret:",
): Promise<string> {
  return sandbox.writeConfig(
    "home",
    `[default]\nsource = ${sandbox.source}\ndestination = ${destination}\n${more}`,
  );
}

/** Writes files of one letter's repetition into the source: name and bytes. */
export async function fillSource(
  sandbox: Sandbox,
  files: Readonly<Record<string, number>>,
): Promise<void> {
  for (const [name, size] of Object.entries(files)) {
    const file = path.join(sandbox.source, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, Buffer.alloc(size, name));
  }
}

/** Throws unless the destination, a place of `secret:`, holds what the source holds, byte for byte. */
export async function assertEqualEnds(sandbox: Sandbox, destination = "secret:"): Promise<void> {
  const { source } = sandbox;
  const below = destination.slice("secret:".length);
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(source, path.join(entry.parentPath, entry.name)));
  assert.deepEqual(await secretFiles(sandbox, below), files.toSorted());
  for (const file of files) {
    const content = await secretContent(sandbox, path.join(below, file));
    assert.ok(
      content.equals(await readFile(path.join(source, file))),
      `the ends of ${file} differ`,
    );
  }
}

/** What the run before left in its record. */
export interface State {
  readonly trusted: boolean;
  readonly running: boolean;
  readonly held: number;
  /** Result of the last run. */
  readonly last: string | undefined;
}

/** The record of the sandbox's one backup; undefined where there is none yet. */
export async function readState(sandbox: Sandbox): Promise<State | undefined> {
  const backups = path.join(sandbox.state, "backups");
  const [directory] = await readdir(backups).catch(() => []);
  if (directory === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path.join(backups, directory, "state.json"), "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    return undefined;
  }
  if (typeof value !== "object" || value === null) throw new Error("state.json holds no object");
  const fields: Record<string, unknown> = { ...value };
  const last = fields["last"];
  return {
    trusted: fields["trusted"] === true,
    running: fields["running"] !== undefined,
    held: Number(fields["held"]),
    last:
      typeof last === "object" && last !== null && "result" in last
        ? String(last.result)
        : undefined,
  };
}
