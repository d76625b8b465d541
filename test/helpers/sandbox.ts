import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { compiled, run, start } from "./command.ts";
import type { Live, Result, RunOptions } from "./command.ts";
import { newRclone } from "./rclones.ts";
import type { Rclone } from "./rclones.ts";

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

/** Makes a sandbox that goes away with the test `t`. The rclone is the new one unless another is given. */
export async function makeSandbox(t: TestContext, rclone: Rclone = newRclone): Promise<Sandbox> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
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
  await Promise.all(Object.values(places).map(async (place) => mkdir(place)));
  await chmod(root, 0o755);
  await symlink(rclone.path, path.join(places.bin, "rclone"));
  const rcloneConf = at("rclone.conf");
  await writeFile(rcloneConf, remotes(places.store), { mode: 0o600 });
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
    runRclone: async (args, options) => run(rclone.path, args, within(options)),
    defer: (action) => void deferred.push(action),
  };
}

function remotes(store: string): string {
  return `[secret]
type = crypt
remote = ${path.join(store, "secret")}
password = ${obscuredPassword}

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
