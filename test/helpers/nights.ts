import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { compiled, run, start, type Live, type Result, type RunOptions } from "./command.ts";
import { oldRclone, type Rclone } from "./rclones.ts";
import { makeSandbox, type Sandbox } from "./sandbox.ts";

const count = v.object({ files: v.number(), bytes: v.number() });

const nightSchema = v.object({
  kind: v.literal("run"),
  outcome: v.string(),
  exit_code: v.number(),
  backups: v.array(
    v.object({
      name: v.string(),
      result: v.string(),
      outcome: v.string(),
      exit_code: v.number(),
      message: v.nullable(v.string()),
      counts: v.nullable(v.object({ source: count, added: count })),
      verifications: v.array(
        v.object({
          kind: v.string(),
          outcome: v.string(),
          share: v.number(),
          files: v.number(),
          bytes: v.number(),
          differences: v.array(v.object({ path: v.string() })),
        }),
      ),
    }),
  ),
  not_due: v.array(v.string()),
  verification: v.object({ budget: v.number(), spent_before: v.number(), spent: v.number() }),
});

export type NightReport = v.InferOutput<typeof nightSchema>;

/** A sandbox with several backups, each of a source of its own, run by rclone-backups. */
export interface Nights extends Sandbox {
  /** Writes NAME.conf for sources/NAME into secret:NAME, and its files. `more`: further lines. */
  addBackup: (
    name: string,
    files: Readonly<Record<string, string | Buffer>>,
    more?: string,
  ) => Promise<void>;
  /** Writes files of a backup's source. */
  write: (name: string, files: Readonly<Record<string, string | Buffer>>) => Promise<void>;
  sourceOf: (name: string) => string;
  /** Writes the settings of the whole. */
  setDefaults: (text: string) => Promise<void>;
  all: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  startAll: (args: readonly string[], options?: RunOptions) => Live;
  /** `run --json`, with its exit code expected. */
  night: (code: number, ...args: readonly string[]) => Promise<NightReport>;
}

/** Makes a sandbox for nightly runs; nothing is read back unless the settings say so. */
export async function makeNights(t: TestContext, rclone: Rclone = oldRclone): Promise<Nights> {
  const box = await makeSandbox(t, rclone);
  const defaults = path.join(box.root, "defaults");
  await writeFile(defaults, "VERIFY_BUDGET=0\n");
  const env = { ...box.env, RCLONE_BACKUPS_DEFAULTS: defaults };
  const within = (options: RunOptions = {}): RunOptions => ({
    cwd: box.root,
    ...options,
    env: { ...env, ...options.env },
  });
  const sourceOf = (name: string): string => path.join(box.root, "sources", name);
  const write: Nights["write"] = async (name, files) => {
    for (const [file, content] of Object.entries(files)) {
      const place = path.join(sourceOf(name), file);
      await mkdir(path.dirname(place), { recursive: true });
      await writeFile(place, content);
    }
  };
  const words = [compiled("rclone-backups")];
  const all: Nights["all"] = async (args, options) =>
    run(process.execPath, [...words, ...args], within(options));
  return {
    ...box,
    env,
    sourceOf,
    write,
    addBackup: async (name, files, more = "") => {
      await mkdir(sourceOf(name), { recursive: true });
      await write(name, files);
      const text = `[default]\nsource = ${sourceOf(name)}\ndestination = secret:${name}\n${more}`;
      await box.writeConfig(name, text);
    },
    setDefaults: async (text) => writeFile(defaults, text),
    all,
    startAll: (args, options) => start(process.execPath, [...words, ...args], within(options)),
    night: async (code, ...args) => {
      const result = await all(["run", "--json", ...args]);
      assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
      return v.parse(nightSchema, JSON.parse(result.stdout));
    },
  };
}
