import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { compiled, run, type Result, type RunOptions } from "./command.ts";
import type { Sandbox } from "./sandbox.ts";

const count = v.object({ files: v.number(), bytes: v.number() });

const document = v.object({
  version: v.literal(1),
  kind: v.literal("restore"),
  outcome: v.string(),
  exit_code: v.number(),
  target: v.string(),
  as_of: v.nullable(v.string()),
  dry_run: v.boolean(),
  planned: count,
  restored: count,
  already_there: count,
  verified: count,
  unverified: count,
  uncertain: v.number(),
  outdated: v.number(),
  failures: v.array(
    v.object({ path: v.string(), path_base64: v.optional(v.string()), reason: v.string() }),
  ),
  failure_count: v.number(),
});

export type RestoreDocument = v.InferOutput<typeof document>;

/** Runs the compiled rclone-restore with the sandbox's environment. */
export async function runRestore(
  box: Sandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return runCompiled(box, "restore", args, options);
}

/** Runs a compiled command of bin/ with the sandbox's environment. */
export async function runCompiled(
  box: Sandbox,
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return run(process.execPath, [compiled(command), ...args], {
    cwd: box.root,
    ...options,
    env: { ...box.env, ...options.env },
  });
}

/** Restores with --json, expects the exit code and returns the document. */
export async function restoreJson(
  box: Sandbox,
  args: readonly string[],
  { code = 0, ...options }: RunOptions & { readonly code?: number } = {},
): Promise<RestoreDocument> {
  const result = await runRestore(box, [...args, "--json"], options);
  assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
  return restoreDocument(result.stdout);
}

/** The document that --json ends with. */
export function restoreDocument(stdout: string): RestoreDocument {
  return v.parse(document, JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
}

/** Files by path (one byte a character): content and modification time in milliseconds. */
export type Tree = Map<string, { readonly content: string; readonly time: number }>;

/** Everything below a directory; a symbolic link is told as one. */
export async function readTree(root: string): Promise<Tree> {
  const tree: Tree = new Map();
  const walk = async (directory: Buffer, below: string): Promise<void> => {
    for (const entry of await readdir(directory, { withFileTypes: true, encoding: "buffer" })) {
      const name = Buffer.from(entry.name);
      const file = Buffer.concat([directory, Buffer.from("/"), name]);
      const relative = `${below}${name.toString("latin1")}`;
      if (entry.isDirectory()) await walk(file, `${relative}/`);
      else {
        const time = Math.floor((await lstat(file)).mtimeMs + 0.0005);
        const content = entry.isFile() ? await readFile(file, "latin1") : "(no file)";
        tree.set(relative, { content, time });
      }
    }
  };
  await walk(Buffer.from(root), "");
  return new Map([...tree].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Writes a file with a modification time in milliseconds; the path's bytes one a character. */
export async function writeAt(
  root: string,
  name: string,
  content: string,
  time: number,
): Promise<void> {
  const file = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, "latin1")]);
  const directory = path.posix.dirname(name);
  await mkdir(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(directory, "latin1")]), {
    recursive: true,
  });
  await writeFile(file, content, "latin1");
  // A little more, or it would be cut to the millisecond before.
  const seconds = (time + 0.01) / 1000;
  await utimes(file, seconds, seconds);
}

/** Names that programs stumble over; bytes one a character. */
export const nastyNames: readonly string[] = [
  "plain.txt",
  "with space/ leading and trailing ",
  "new\nline",
  "glob[*]?{a,b}",
  "#hash",
  "!bang",
  "- x",
  ".hidden/.file",
  Buffer.from("Grüße/ünï.txt").toString("latin1"),
  "not \xff utf8",
  "foo-v2024-01-02-030405-678.txt",
  "tab\there",
  "back\\slash",
];

/** Steps of a history made by chance from a seed: what the source holds after each. */
export async function evolve(
  root: string,
  random: () => number,
  step: number,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const chance = random();
    if (chance < 0.35)
      await writeAt(
        root,
        name,
        `${name} in step ${step}${"x".repeat(Math.floor(random() * 200))}`,
        Date.UTC(2025, 5, 1) + step * 86_400_000 + Math.floor(random() * 80_000_000),
      );
    else if (chance < 0.55)
      await rm(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, "latin1")]), {
        force: true,
      });
  }
}

/** Numbers from 0 to 1 that a seed determines. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
