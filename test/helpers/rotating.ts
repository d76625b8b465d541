import { chmod, lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, type TestContext } from "node:test";
import * as v from "valibot";
import { projectRoot, run, start, type Live, type Result, type RunOptions } from "./command.ts";
import { mariadbPrograms, startMariadb } from "./mariadb.ts";
import type { MysqlServer } from "./mysqlserver.ts";
import { makeSandbox, type Sandbox } from "./sandbox.ts";

/** A directory of backups, and mariadb-rotate for it. */
export interface Rotating extends Sandbox {
  /** Where the backups go; not there at first. */
  readonly backups: string;
  /** Runs `mariadb-rotate --to BACKUPS` with the server's option file, to its end. */
  rotate: (args?: readonly string[], options?: RunOptions) => Promise<Result>;
  startRotate: (args?: readonly string[], options?: RunOptions) => Live;
  /** Runs `mariadb-rotate` with these arguments alone. */
  command: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** What stands in the directory, hidden names too, but for the one of the work directory. */
  names: () => Promise<string[]>;
  /** Names in the work directory. */
  atWork: () => Promise<string[]>;
  /** A file of a backup; the last one's unless another is given, counted from the end. */
  fileOf: (name: string, fromEnd?: number) => Promise<string>;
  /**
   * A program in the place of mariadb-backup: a shell script in which "$REAL" is the real one and
   * `is --prepare` asks for an argument. Returns its path, for --program.
   */
  replace: (body: string) => Promise<string>;
}

const program = path.join(projectRoot, "dist/exporters/mariadb-rotate.js");

/** One server for the tests of a file that don't change its data; to be called outside of them. */
export async function sharedServer(): Promise<MysqlServer> {
  return startMariadb({ after: (action) => after(async () => void (await action())) });
}

export async function makeRotating(t: TestContext, server: MysqlServer): Promise<Rotating> {
  const sandbox = await makeSandbox(t);
  const backups = path.join(sandbox.root, "backups");
  const env = { ...sandbox.env, PATH: `${sandbox.bin}:${server.bin}:${process.env["PATH"] ?? ""}` };
  const within = (options: RunOptions = {}): RunOptions => ({
    cwd: sandbox.root,
    ...options,
    env: { ...env, ...options.env },
  });
  const mine = (args: readonly string[]): string[] => [
    ...[program, "--to", backups, `--defaults-file=${server.defaultsFile}`],
    ...args,
  ];
  const names = async (): Promise<string[]> =>
    (await readdir(backups)).filter((name) => name !== ".mariadb-rotate").toSorted();
  return {
    ...sandbox,
    env,
    backups,
    rotate: async (args = [], options) => run(process.execPath, mine(args), within(options)),
    startRotate: (args = [], options) => start(process.execPath, mine(args), within(options)),
    command: async (args, options) => run(process.execPath, [program, ...args], within(options)),
    names,
    atWork: async () => (await readdir(path.join(backups, ".mariadb-rotate"))).toSorted(),
    fileOf: async (name, fromEnd = 1) =>
      path.join(backups, (await names()).at(-fromEnd) ?? "", name),
    replace: async (body) => {
      const file = path.join(sandbox.bin, "other-backup");
      const real = mariadbPrograms().backup;
      const is = `is() { for each in $ARGS; do [ "$each" = "$1" ] && return; done; return 1; }`;
      const text = `#!/bin/sh\nREAL='${real}'\nARGS=$*\n${is}\n[ "$1" = --version ] && exec "$REAL" --version\n${body}\n`;
      await writeFile(file, text);
      await chmod(file, 0o755);
      return file;
    },
  };
}

/** Every path of a tree with its mode, such as `0600 a/b`. */
export async function modesOf(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(root, { recursive: true })) {
    const { mode } = await lstat(path.join(root, name));
    found.push(`${(mode & 0o7777).toString(8).padStart(4, "0")} ${name}`);
  }
  return found;
}

/** Changes keys of a backup's manifest. */
export async function changeManifest(
  backup: string,
  change: Readonly<Record<string, unknown>>,
): Promise<void> {
  const file = path.join(backup, ".mariadb-rotate.json");
  const manifest: unknown = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...Object(manifest), ...change }));
}

/** A new directory in the sandbox. */
export async function makeDirectory(root: string, name: string): Promise<string> {
  const directory = path.join(root, name);
  await mkdir(directory, { recursive: true });
  return directory;
}

const madeSchema = v.strictObject({
  ...{ name: v.string(), kind: v.string(), chain: v.string(), base: v.nullable(v.string()) },
  ...{ started_at: v.string(), finished_at: v.string(), tested_at: v.nullable(v.string()) },
  ...{ mariadb_backup: v.string(), files: v.number(), bytes: v.number() },
});

const reportSchema = v.strictObject({
  ...{ version: v.literal(1), kind: v.literal("mariadb-rotate"), outcome: v.string() },
  ...{ exit_code: v.number(), dry_run: v.boolean(), directory: v.string() },
  plan: v.strictObject({
    make: v.strictObject({ kind: v.string(), base: v.nullable(v.string()), reason: v.string() }),
    remove: v.array(v.strictObject({ name: v.string(), reason: v.string() })),
  }),
  made: v.nullable(madeSchema),
  removed: v.array(v.string()),
  problems: v.array(v.string()),
});

/** What a run printed with --json; throws where it has another shape than the page says. */
export function reportOf(stdout: string): v.InferOutput<typeof reportSchema> {
  return v.parse(reportSchema, JSON.parse(stdout));
}
