import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import * as v from "valibot";
import type { Result, RunOptions } from "./command.ts";
import { makePrepared, makeSandbox } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Rclone } from "./rclones.ts";
import { secretPath } from "./secretstore.ts";

const count = v.object({ files: v.number(), bytes: v.number() });
const item = v.object({
  path: v.string(),
  path_base64: v.optional(v.string()),
  problem: v.string(),
  reason: v.nullable(v.string()),
});
const document = v.object({
  version: v.literal(1),
  kind: v.literal("verify"),
  name: v.string(),
  outcome: v.string(),
  exit_code: v.number(),
  seed: v.number(),
  dry_run: v.boolean(),
  pool: count,
  chosen: count,
  verified: count,
  differences: v.array(item),
  errors: v.array(item),
  changed: v.array(v.object({ path: v.string(), path_base64: v.optional(v.string()) })),
  gone: v.nullable(count),
});

export type VerifyDocument = v.InferOutput<typeof document>;

/** A sandbox with a backup called `b`, which was made once. */
export interface Backed extends Sandbox {
  /** Runs `rclone-backup b` and expects this exit code. */
  readonly backUp: (code?: number, args?: readonly string[]) => Promise<Result>;
  /** Runs `--verify CONDITION… --json b`, and checks that the document and the exit code agree. */
  readonly verify: (
    args: readonly string[],
    options?: RunOptions,
  ) => Promise<{ code: number | null; stderr: string; doc: VerifyDocument }>;
  /** Where a file of the source is stored, encrypted. */
  readonly stored: (name: string) => string;
  /** Puts a shell script in the place of rclone; $REAL in it is the real one. */
  readonly double: (script: string) => Promise<void>;
  /** Flips a byte in the middle of a stored file, whose size and time stay: what a bad disk does. */
  readonly rot: (name: string) => Promise<void>;
}

export interface BackedOptions {
  readonly rclone: Rclone;
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly destination?: string;
  /** More of the configuration, after [default]. */
  readonly more?: string;
  /** False leaves the first backup to the test. */
  readonly backUp?: boolean;
}

/** Files of the source are two days old, so that none is as new as the backup. */
export const old = new Date(Date.now() - 2 * 86_400_000);

export async function writeOld(file: string, content: string | Buffer, time = old): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  await utimes(file, time, time);
}

/** Made once for all tests of a file that ask for just this, unless the first backup is left to them. */
export async function makeBacked(t: TestContext, options: BackedOptions): Promise<Backed> {
  const { rclone, files, destination = "secret:data", more = "" } = options;
  const prepare = async (box: Sandbox): Promise<void> => {
    for (const [name, content] of Object.entries(files))
      await writeOld(path.join(box.source, name), content);
    await box.writeConfig(
      "b",
      `[default]\nsource = ${box.source}\ndestination = ${destination}\n${more}`,
    );
  };
  if (options.backUp === false) {
    const box = await makeSandbox(t, rclone);
    await prepare(box);
    return backedIn(box, options);
  }
  const hash = createHash("sha256").update(`${destination}\0${more}`);
  for (const [name, content] of Object.entries(files))
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  const box = await makePrepared(t, rclone, hash.digest("hex"), async (made) => {
    await prepare(made);
    await backedIn(made, options).backUp();
  });
  return backedIn(box, options);
}

function backedIn(sandbox: Sandbox, options: BackedOptions): Backed {
  const destination = options.destination ?? "secret:data";
  const stored: Backed["stored"] = (name) =>
    secretPath(sandbox, `${destination.slice("secret:".length)}/${name}`, "file");
  return {
    ...sandbox,
    backUp: async (code = 0, args = []) => {
      const result = await sandbox.backup([...args, "b"]);
      assert.equal(result.code, code, result.stderr);
      return result;
    },
    verify: async (args, runOptions) => {
      const conditions = args.flatMap((arg) => (arg.startsWith("-") ? [arg] : ["--verify", arg]));
      const { code, stdout, stderr } = await sandbox.backup(
        [...conditions, "--json", "b"],
        runOptions,
      );
      const doc = parseDocument(stdout, stderr);
      assert.equal(doc.exit_code, code);
      return { code, stderr, doc };
    },
    stored,
    double: async (script) => {
      const file = path.join(sandbox.bin, "rclone");
      await rm(file, { force: true });
      await writeFile(file, `#!/bin/sh\nREAL='${options.rclone.path}'\n${script}`);
      await chmod(file, 0o755);
    },
    rot: async (name) => {
      const file = stored(name);
      const content = await readFile(file);
      const middle = content.length >> 1;
      content[middle] = (content[middle] ?? 0) ^ 1;
      await writeOld(file, content);
    },
  };
}

function parseDocument(stdout: string, stderr: string): VerifyDocument {
  try {
    return v.parse(document, JSON.parse(stdout));
  } catch (cause) {
    throw new Error(`no document of a verification: ${stdout}\n${stderr}`, { cause });
  }
}

export function paths(items: readonly { readonly path: string }[]): string[] {
  return items.map((one) => one.path).toSorted();
}

/** Content that no other seed gives and that does not compress. */
export function bytes(length: number, seed: number): Buffer {
  let state = seed * 2_654_435_761 + 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}
