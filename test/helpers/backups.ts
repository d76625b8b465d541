import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import * as v from "valibot";
import { readRecord } from "../../lib/state/record.ts";
import type { BackupRecord } from "../../lib/state/record.ts";
import type { Live, Result, RunOptions } from "./command.ts";
import type { Rclone } from "./rclones.ts";
import { makePrepared, makeSandbox } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";
import { secretContent, secretFiles } from "./secretstore.ts";

/** Keys of a configuration by section; filters are lists of rules. */
export interface Settings {
  readonly default?: Readonly<Record<string, string>>;
  readonly guards?: Readonly<Record<string, string>>;
  readonly rclone?: Readonly<Record<string, string>>;
  readonly verify?: Readonly<Record<string, string>>;
  readonly history?: Readonly<Record<string, string>>;
  readonly retention?: Readonly<Record<string, string>>;
  readonly schedule?: Readonly<Record<string, string>>;
  readonly filters?: readonly string[];
  readonly "test-filters"?: readonly string[];
}

const count = v.object({ files: v.number(), bytes: v.number() });

const reportSchema = v.object({
  result: v.string(),
  outcome: v.string(),
  exit_code: v.number(),
  dry_run: v.boolean(),
  run: v.string(),
  plan: v.nullable(
    v.object({
      counted_from: v.picklist(["manifest", "dry run"]),
      source: count,
      held: v.object({ files: v.number(), bytes: v.optional(v.number()) }),
      added: count,
      changed: count,
      deleted: count,
    }),
  ),
  transferred: count,
  deleted: v.number(),
  failures: v.array(v.object({ path: v.string(), reason: v.string() })),
  failure_count: v.number(),
  warnings: v.array(v.string()),
  message: v.nullable(v.string()),
  hint: v.nullable(v.string()),
  refused_plan: v.nullable(v.string()),
});

/** The document of --json. */
export type Report = v.InferOutput<typeof reportSchema>;

/** One call of rclone: its arguments. */
export type Call = readonly string[];

/** A backup of the sandbox's source into `secret:`, by the configuration home.conf. */
export interface TestBackup extends Sandbox {
  /** Writes home.conf anew: source and destination as ever, unless the settings say otherwise. */
  configure: (settings: Settings) => Promise<void>;
  /** Writes files below the source (a path may also be absolute), making directories as needed. */
  write: (files: Readonly<Record<string, string | Buffer>>) => Promise<void>;
  remove: (...names: string[]) => Promise<void>;
  /** Backs up; any exit code is a result. */
  run: (args?: readonly string[], options?: RunOptions) => Promise<Result>;
  start: (args?: readonly string[], options?: RunOptions) => Live;
  /** Backs up and expects the exit code; 0 with nothing on stderr unless `stderr` says what stands there. */
  expect: (
    code: number,
    options?: { args?: readonly string[]; stderr?: RegExp } & RunOptions,
  ) => Promise<Result>;
  /** Backs up with --json, expects the exit code, and returns the document. */
  report: (args?: readonly string[], options?: { code?: number } & RunOptions) => Promise<Report>;
  /** The files at the destination, or at another place, sorted, as rclone shows them. */
  stored: (location?: string) => Promise<string[]>;
  /** The content of a stored file. */
  content: (file: string) => Promise<string>;
  /** The state directory of the only backup. */
  stateDirectory: () => Promise<string>;
  record: () => Promise<BackupRecord>;
  /** Paths in the manifest. */
  manifest: () => Promise<string[]>;
  /** Puts a double of rclone first on the PATH that logs its calls; `before` is shell text run before the real one. */
  trace: (before?: string) => Promise<void>;
  /** The calls since the last time this was asked. */
  calls: () => Promise<Call[]>;
}

/** Makes a sandbox with a backup `home`. */
export async function makeBackup(
  t: TestContext,
  rclone: Rclone,
  settings: Settings = {},
  files: Readonly<Record<string, string | Buffer>> = {},
): Promise<TestBackup> {
  const tree = treeIn(await makeSandbox(t, rclone));
  await tree.configure(settings);
  await tree.write(files);
  return tree;
}

/** The same, backed up once without a word; made once for all tests of a file that ask for just this. */
export async function makeBackedUp(
  t: TestContext,
  rclone: Rclone,
  settings: Settings = {},
  files: Readonly<Record<string, string>> = {},
): Promise<TestBackup> {
  const prepare = async (box: Sandbox): Promise<void> => {
    const tree = treeIn(box);
    await tree.configure(settings);
    await tree.write(files);
    await tree.expect(0);
  };
  return treeIn(await makePrepared(t, rclone, JSON.stringify([settings, files]), prepare));
}

function treeIn(box: Sandbox): TestBackup {
  const log = path.join(box.root, "calls.log");
  const stateDirectory = async (): Promise<string> => {
    const parent = path.join(box.state, "backups");
    const [only, ...more] = await readdir(parent);
    assert.ok(only !== undefined && more.length === 0, "expected the state of one backup");
    return path.join(parent, only);
  };
  const run: TestBackup["run"] = async (args = [], options = {}) =>
    box.backup([...args, "home"], options);
  return {
    ...box,
    configure: async (wanted) => {
      await box.writeConfig("home", configText(box, wanted));
    },
    write: async (wanted) => {
      for (const [name, content] of Object.entries(wanted)) {
        const file = path.resolve(box.source, name);
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, content);
      }
    },
    remove: async (...names) => {
      for (const name of names)
        await rm(path.resolve(box.source, name), { recursive: true, force: true });
    },
    run,
    start: (args = [], options = {}) => box.startBackup([...args, "home"], options),
    expect: async (code, { args, stderr, ...options } = {}) => {
      const result = await run(args, options);
      assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
      if (stderr !== undefined) assert.match(result.stderr, stderr);
      else if (code === 0) assert.equal(result.stderr, "");
      return result;
    },
    report: async (args = [], { code = 0, ...options } = {}) => {
      const result = await run([...args, "--json"], options);
      assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
      return v.parse(reportSchema, JSON.parse(result.stdout));
    },
    stored: async (location = "secret:") => {
      if (location.startsWith("secret:")) return secretFiles(box, location.slice("secret:".length));
      const result = await box.runRclone(["lsf", "-R", "--files-only", location]);
      assert.equal(result.code, 0, result.stderr);
      return lines(result.stdout).toSorted();
    },
    content: async (file) => String(await secretContent(box, file)),
    stateDirectory,
    record: async () => {
      const file = path.join(await stateDirectory(), "state.json");
      const { record } = await readRecord(file, { setAside: false });
      assert.ok(record !== undefined, "expected a record");
      return record;
    },
    manifest: async () => {
      const bytes = await readFile(path.join(await stateDirectory(), "manifest.gz"));
      return lines(gunzipSync(bytes).toString())
        .filter((line) => !line.startsWith("#"))
        .map((line) => line.split("\t")[0] ?? "");
    },
    trace: async (before = "") => {
      const double = path.join(box.bin, "rclone");
      await rm(double);
      const record = `line=$(printf '%s\\037' "$@"); printf '%s\\n' "$line" >>'${log}'`;
      await writeFile(double, `#!/bin/sh\n${record}\n${before}\nexec '${box.rclone.path}' "$@"\n`);
      await chmod(double, 0o755);
    },
    calls: async () => {
      const text = await readFile(log, "utf8").catch(() => "");
      await rm(log, { force: true });
      return lines(text).map((line) => line.split("\x1F").slice(0, -1));
    },
  };
}

/** The text of a configuration. */
function configText(box: Sandbox, settings: Settings): string {
  const { filters = [], "test-filters": testFilters = [], ...sections } = settings;
  const keys = {
    ...sections,
    default: { source: box.source, destination: "secret:", ...settings.default },
  };
  const text = Object.entries(keys).map(
    ([name, values]) =>
      `[${name}]\n${Object.entries(values)
        .map(([key, value]) => `${key} = ${value}\n`)
        .join("")}`,
  );
  const rules = Object.entries({ filters, "test-filters": testFilters }).map(([name, list]) =>
    list.length === 0 ? "" : `[${name}]\n${list.map((rule) => `${rule}\n`).join("")}`,
  );
  return [...text, ...rules].join("");
}

/** Calls of one of rclone's commands, such as sync; dry runs are told apart. */
export function callsOf(calls: readonly Call[], command: string, dryRun = false): Call[] {
  return calls.filter((call) => call[0] === command && call.includes("--dry-run") === dryRun);
}

/** Files NAME0, NAME1, … with different contents. */
export function manyFiles(howMany: number, prefix = "file"): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: howMany }, (_, at) => [`${prefix}${at}`, `content of ${prefix}${at}\n`]),
  );
}

/** Waits for something that nothing tells of. */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds().catch(() => false))) {
    assert.ok(Date.now() < deadline, `expected within 60 s: ${what}`);
    await sleep(10);
  }
}

export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
