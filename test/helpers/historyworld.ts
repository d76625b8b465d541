import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { cryptNames } from "../../lib/crypt/cryptnames.ts";
import { plainNames } from "../../lib/crypt/plainnames.ts";
import { rawFromText, textFromRaw } from "../../lib/units/rawpath.ts";
import { startB2, type B2Options, type B2Server, type B2Version } from "./b2/server.ts";
import { compiled, run, start, type Live, type Result, type RunOptions } from "./command.ts";
import { oldRclone, type Rclone } from "./rclones.ts";
import { writeAt } from "./restoring.ts";
import { makeSandbox, emptyPassword, type Sandbox } from "./sandbox.ts";

export const day = 86_400_000;

/** So many days before now, milliseconds since 1970. */
export function ago(days: number): number {
  return Date.now() - days * day;
}

/** A line of a command's JSON. */
export type Line = Readonly<Record<string, unknown>>;

/** Commands on a backup `home` whose destination keeps history. */
export interface Commands {
  readonly box: Sandbox;
  readonly destination: string;
  /** Writes home.conf; `more` follows `[default]`. */
  configure: (more?: string) => Promise<void>;
  write: (name: string, content: string) => Promise<void>;
  remove: (name: string) => Promise<void>;
  /** Makes the destination equal to the source, by rclone alone. */
  sync: () => Promise<void>;
  /** Runs a compiled command, such as prune. */
  run: (command: string, args: readonly string[], options?: RunOptions) => Promise<Result>;
  start: (command: string, args: readonly string[], options?: RunOptions) => Live;
  /** Runs it, expects the exit code and returns what it wrote. */
  expect: (
    code: number,
    command: string,
    args: readonly string[],
    options?: RunOptions,
  ) => Promise<Result>;
  /** Runs it with --json, expects the exit code and returns its lines. */
  json: (
    command: string,
    args: readonly string[],
    options?: RunOptions & { readonly code?: number },
  ) => Promise<Line[]>;
  /** The files that rclone shows at the destination, with size and time. */
  listed: () => Promise<string[]>;
}

/** A history on the B2 test server. */
export interface HistoryWorld extends Commands {
  readonly server: B2Server;
  /** Does something, and syncs, as if so many days ago. */
  past: (days: number, act: () => Promise<void>) => Promise<void>;
  /** The store's clock shows the present, and goes on. */
  present: () => void;
  /** The name of a plain path in the bucket. */
  stored: (name: string) => string;
  /** Versions below the destination: `PATH upload SIZE` or `PATH hide`, newest of a path first. */
  versions: () => string[];
  /** The same as they are in the bucket. */
  entries: () => (B2Version & { readonly path: string })[];
}

export interface WorldOptions {
  readonly rclone?: Rclone;
  /** `crypt` below a directory of the bucket, `plain` in one, `bucket`: all of it, not encrypted. */
  readonly kind?: "crypt" | "plain" | "bucket";
  readonly b2?: B2Options;
}

/** Makes a backup `home` on a B2 server whose clock stands 800 days in the past. */
export async function historyWorld(
  t: TestContext,
  { rclone = oldRclone, kind = "crypt", b2 = {} }: WorldOptions = {},
): Promise<HistoryWorld> {
  const server = await startB2(t, { now: ago(800), ...b2 });
  const top = kind === "bucket" ? "" : "some where/";
  const password = emptyPassword;
  const env = {
    ...server.rcloneEnv("cloud"),
    RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
    RCLONE_CONFIG_HIDDEN_REMOTE: `cloud:${server.bucket}/some where`,
    RCLONE_CONFIG_HIDDEN_PASSWORD: password,
  };
  const [below, destination] = {
    crypt: ["data/", "hidden:data"] as const,
    plain: ["data/", `cloud:${server.bucket}/some where/data`] as const,
    bucket: ["", `cloud:${server.bucket}`] as const,
  }[kind];
  const names = kind === "crypt" ? cryptNames(new Map([["password", password]])) : plainNames;
  const common = await commands(t, { rclone, destination, env });
  const { write, remove, sync } = common;
  const entries = (): (B2Version & { path: string })[] =>
    server.versions().flatMap((version) => {
      if (!version.fileName.startsWith(top)) return [];
      const [plain] = names.decode([rawFromText(version.fileName.slice(top.length))]);
      const text = plain === undefined ? `? ${version.fileName}` : textFromRaw(plain);
      return plain === undefined || text.startsWith(below)
        ? [{ ...version, path: plain === undefined ? text : text.slice(below.length) }]
        : [];
    });
  return {
    ...common,
    write,
    remove,
    server,
    past: async (days, act) => {
      server.clock.set(ago(days));
      await act();
      await sync();
    },
    present: () => {
      server.clock.set(Date.now());
      server.clock.run();
    },
    stored: (name) => top + textFromRaw(names.encode(rawFromText(below + name), "file")),
    entries,
    versions: () =>
      entries()
        .map(({ path: name, action, contentLength }) => {
          const size = names.plainSize(contentLength) ?? contentLength;
          return action === "hide" ? `${name} hide` : `${name} ${action} ${size}`;
        })
        .toSorted((one, other) =>
          pathOf(one) < pathOf(other) ? -1 : pathOf(one) > pathOf(other) ? 1 : 0,
        ),
  };
}

function pathOf(line: string): string {
  return line.replace(/ (?:hide|upload \d+|start \d+)$/, "");
}

/** Makes a sandbox with a backup `home` to `destination`; `env` is that of every command. */
export async function commands(
  t: TestContext,
  given: {
    readonly rclone?: Rclone;
    readonly destination: string;
    readonly env: Readonly<Record<string, string>>;
    /** Goes into home.conf behind `[default]`. */
    readonly settings?: string;
  },
): Promise<Commands> {
  const bare = await makeSandbox(t, given.rclone ?? oldRclone);
  const env = { ...bare.env, ...given.env };
  const box: Sandbox = { ...bare, env };
  const { destination } = given;
  const within = (options: RunOptions = {}): RunOptions => ({
    cwd: box.root,
    ...options,
    env: { ...env, ...options.env },
  });
  const runs = (command: string, args: readonly string[], options?: RunOptions): Promise<Result> =>
    run(process.execPath, [compiled(command), ...args], within(options));
  const configure = async (more = given.settings ?? ""): Promise<void> => {
    const text = `[default]\nsource = ${box.source}\ndestination = ${destination}\n${more}`;
    await box.writeConfig("home", text);
  };
  await configure();
  return {
    box,
    destination,
    configure,
    write: async (name, content) => writeAt(box.source, name, content, time(content)),
    remove: async (name) => rm(path.join(box.source, name), { recursive: true }),
    sync: async () => {
      const result = await box.runRclone(["sync", "--fast-list", box.source, destination], { env });
      assert.equal(result.code, 0, result.stderr);
    },
    run: runs,
    start: (command, args, options) =>
      start(process.execPath, [compiled(command), ...args], within(options)),
    expect: async (code, command, args, options) => {
      const result = await runs(command, args, options);
      assert.equal(
        result.code,
        code,
        `${command} ${args.join(" ")}\n${result.stderr}${result.stdout}`,
      );
      return result;
    },
    json: async (command, args, { code = 0, ...options } = {}) => {
      const result = await runs(command, [...args, "--json"], options);
      assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
      return result.stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => record(JSON.parse(line)));
    },
    listed: async () => {
      const args = ["lsf", "-R", "--files-only", "--format", "pst", destination];
      const { code, stdout, stderr } = await box.runRclone(args, { env });
      assert.equal(code, 0, stderr);
      return stdout
        .split("\n")
        .filter((line) => line !== "")
        .toSorted();
    },
  };
}

/** A modification time for each content, so that a change is seen and a copy of it is recognised. */
function time(content: string): number {
  let sum = 0;
  for (const character of content) sum = (sum * 31 + character.charCodeAt(0)) % 100_000_000;
  return (1_500_000_000 + sum) * 1000;
}

function record(value: unknown): Line {
  assert.ok(typeof value === "object" && value !== null);
  return { ...value };
}

/** A value inside a JSON line. */
export function dig(line: Line | undefined, ...keys: readonly string[]): unknown {
  let value: unknown = line;
  for (const key of keys) value = record(value)[key];
  return value;
}
