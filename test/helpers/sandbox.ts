import { existsSync, rmSync } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { compiled, run, start } from "./command.ts";
import type { Live, Result, RunOptions } from "./command.ts";
import { oldRclone, quickStart } from "./rclones.ts";
import type { Rclone } from "./rclones.ts";
import type { Scope } from "./s3server.ts";

/** A directory of its own for one test, with an rclone configuration whose `secret:` encrypts into store/. */
export interface Sandbox {
  /** The directory that holds all the others. */
  readonly root: string;
  /** What a test backs up; empty at first. */
  readonly source: string;
  /** Where `secret:` (encrypted) and `plain:` (not encrypted) keep their files; empty at first. */
  readonly store: string;
  readonly state: string;
  /** The config directory, in which `backup NAME` finds NAME.conf. */
  readonly config: string;
  readonly home: string;
  /** First on PATH; holds `rclone`. Put test doubles here. */
  readonly bin: string;
  readonly rclone: Rclone;
  readonly rcloneConf: string;
  /** The whole environment that commands get. */
  readonly env: Readonly<Record<string, string>>;
  /** Writes NAME.conf into the config directory and returns its path. */
  writeConfig: (name: string, text: string) => Promise<string>;
  /** Runs the compiled rclone-backup to its end. `options.env` is added to the sandbox's own. */
  backup: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** Starts the compiled rclone-backup, so that a test can send signals. */
  startBackup: (args: readonly string[], options?: RunOptions) => Live;
  /** Runs the sandbox's own rclone with its configuration. */
  runRclone: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** Something to undo before the sandbox goes, such as a mount; the last one registered goes first. */
  defer: (action: () => unknown) => void;
}

/** "correct horse battery staple" as `rclone obscure` wrote it down once: to ask each time would cost a start of rclone. */
export const obscuredPassword = "qmobiPAiPDiL5MHAnCn5KoIErw732BAz8J6ehLVLpiZdH8mokgIFglScvug";

/**
 * An empty password as rclone writes it down. It encrypts as any other does, with a key of zeros, and spares
 * every start of rclone the making of keys, which takes longer than all else that a start does.
 */
export const emptyPassword = "ZOOgmC33VdOzm2WTZpSAQA";

/** Makes a sandbox that goes away with the test `t`, or with what else it is made for. The rclone is the old one, which starts faster, unless another is given. */
export async function makeSandbox(t: Scope, rclone: Rclone = oldRclone): Promise<Sandbox> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
  const box = sandboxAt(t, rclone, root);
  const { source, store, state, config, home, bin } = box;
  await Promise.all([source, store, state, config, home, bin].map(async (place) => mkdir(place)));
  await chmod(root, 0o755);
  await symlink(rclone.path, path.join(bin, "rclone"));
  await writeFile(box.rcloneConf, remotes(store), { mode: 0o600 });
  return box;
}

/** Where sandboxes were prepared, by rclone and key; the copy of each is beside it. */
const copies = new Map<string, string>();

/**
 * Makes a sandbox and prepares it, or puts one there that was prepared so before for another test of this file: at the
 * same place, with all times. `key` tells what `prepare` does; tests of a file run one after another.
 */
export async function makePrepared(
  t: Scope,
  rclone: Rclone,
  key: string,
  prepare: (box: Sandbox) => Promise<void>,
): Promise<Sandbox> {
  const which = `${rclone.version} ${key}`;
  const root = copies.get(which);
  // A test that wants two alike gets the second at a place of its own.
  if (root !== undefined && !existsSync(root)) {
    await copyTree(root + copyEnd, root);
    return sandboxAt(t, rclone, root);
  }
  const box = await makeSandbox(t, rclone);
  await prepare(box);
  if (root !== undefined) return box;
  if (copies.size === 0)
    process.once("exit", () => {
      for (const made of copies.values()) rmSync(made + copyEnd, { recursive: true, force: true });
    });
  copies.set(which, box.root);
  await copyTree(box.root, box.root + copyEnd);
  return box;
}

const copyEnd = ".prepared";

async function copyTree(from: string, to: string): Promise<void> {
  const { code, stderr } = await run("cp", ["-a", from, to]);
  if (code !== 0) throw new Error(`cp -a ${from} ${to}: ${stderr}`);
}

/** The sandbox in a directory that has been made, or will be; it goes away with the test. */
function sandboxAt(t: Scope, rclone: Rclone, root: string): Sandbox {
  const deferred: (() => unknown)[] = [];
  t.after(async () => {
    for (const action of deferred.toReversed()) await action();
    await removeTree(root);
  });
  const at = (name: string): string => path.join(root, name);
  const places = {
    source: at("src"),
    store: at("store"),
    state: at("state"),
    config: at("config"),
    home: at("home"),
    bin: at("bin"),
  };
  const rcloneConf = at("rclone.conf");
  const env = {
    PATH: `${places.bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
    HOME: places.home,
    LANG: "C.UTF-8",
    TZ: "UTC",
    RCLONE_CONFIG: rcloneConf,
    RCLONE_BACKUPS_DIR: places.config,
    RCLONE_BACKUPS_STATE: places.state,
  };
  const within = (options: RunOptions = {}): RunOptions => ({
    cwd: root,
    ...options,
    env: { ...env, ...options.env },
  });
  return {
    root,
    ...places,
    rclone,
    rcloneConf,
    env,
    writeConfig: async (name, text) => {
      const file = path.join(places.config, `${name}.conf`);
      await writeFile(file, text);
      return file;
    },
    backup: async (args, options) =>
      run(process.execPath, [compiled("rclone-backup"), ...args], within(options)),
    startBackup: (args, options) =>
      start(process.execPath, [compiled("rclone-backup"), ...args], within(options)),
    runRclone: async (args, options) =>
      run(rclone.path, args, within({ ...options, env: { ...quickStart, ...options?.env } })),
    defer: (action) => void deferred.push(action),
  };
}

function remotes(store: string): string {
  return `[secret]
type = crypt
remote = ${path.join(store, "secret")}
password = ${emptyPassword}

[plain]
type = alias
remote = ${path.join(store, "plain")}
`;
}

/** Removes a tree, also where directories in it may not be entered or names are not UTF-8. */
async function removeTree(root: string): Promise<void> {
  await openUp(Buffer.from(root));
  await rm(root, { recursive: true, force: true, maxRetries: 3 });
}

async function openUp(directory: Buffer): Promise<void> {
  await chmod(directory, 0o700);
  const entries = await readdir(directory, { encoding: "buffer" });
  for (const name of entries) {
    const entry = Buffer.concat([directory, Buffer.from("/"), name]);
    // An orphan of the test may still be at work here, so entries may vanish.
    const stat = await lstat(entry).catch(() => undefined);
    if (stat?.isDirectory() === true) await openUp(entry);
  }
}
