import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { copyFile, cp, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { failed, systemCode, usage } from "../../lib/errors.ts";
import type { Rclone } from "../../test/helpers/rclones.ts";
import type { Bench, Command } from "./measure.ts";
import { readUsed, watched } from "./used.ts";
import type { Used } from "./used.ts";

const project = path.resolve(import.meta.dirname, "../..");

/** The benchmark's own directory, with an rclone configuration whose `secret:` encrypts into store/. */
export interface Place extends Bench {
  readonly root: string;
  readonly store: string;
  readonly rcloneConf: string;
  /** The password of `secret:`, as rclone obscures it. */
  readonly obscured: string;
  /** The compiled commands by name: a copy, so that a build can't change them half way. */
  readonly programs: ReadonlyMap<string, string>;
  /** The whole environment of what is measured. */
  readonly env: Readonly<Record<string, string>>;
  readonly say: (text: string) => void;
}

/** Makes a directory of its own in `work` with what every case needs. Throws usage where it can't. */
export async function makePlace(
  work: string,
  rclone: Rclone,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<Place> {
  const root = makeRoot(work);
  const at = (name: string): string => path.join(root, name);
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: at("home"),
    LANG: "C.UTF-8",
    // rclone gets it from rclone-backup, so bare rclone gets it too.
    TZ: "UTC",
    RCLONE_BACKUPS_STATE: at("state"),
  };
  for (const name of ["home", "state", "scratch", "config"]) await mkdir(at(name));
  await cp(path.join(project, "dist"), at("dist"), { recursive: true });
  await copyFile(path.join(project, "package.json"), at("package.json"));
  const obscured = spawnSync(rclone.path, ["obscure", "-"], {
    input: "correct horse battery staple",
    encoding: "utf8",
    env,
  });
  if (obscured.status !== 0) throw failed(`rclone obscure: ${obscured.stderr}`);
  const password = obscured.stdout.trim();
  const remote = `[secret]\ntype = crypt\nremote = ${at("store")}\npassword = ${password}\n`;
  await writeFile(at("rclone.conf"), remote, { mode: 0o600 });
  return {
    root,
    store: at("store"),
    scratch: at("scratch"),
    rcloneConf: at("rclone.conf"),
    obscured: password,
    programs: await readPrograms(root),
    env,
    signal,
    say,
  };
}

const packageFile = v.object({ bin: v.record(v.string(), v.string()) });

async function readPrograms(root: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path.join(root, "package.json"), "utf8");
  const { bin } = v.parse(packageFile, JSON.parse(text));
  return new Map(Object.entries(bin).map(([name, file]) => [name, path.join(root, file)]));
}

/** The compiled command of a name. */
export function programOf({ programs }: Place, name: string): string {
  const program = programs.get(name);
  if (program === undefined) throw failed(`expected the command ${name}, found none`);
  return program;
}

function makeRoot(work: string): string {
  try {
    return mkdtempSync(path.join(work, "rclone-backups-bench-"));
  } catch (error) {
    throw usage(
      `--work: expected a directory that can be written to, found ${systemCode(error) ?? "none"} at ${work}`,
      { cause: error },
    );
  }
}

/** Deletes a tree with rm, which is several times as fast as Node at a million files. */
export async function remove(tree: string): Promise<void> {
  // In a group of its own: ^C must not end the cleaning up.
  const child = spawn("rm", ["-rf", "--", tree], { stdio: "inherit", detached: true });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

/**
 * Puts trees aside until all is measured: for some minutes after many files were deleted, ext4 is several
 * times as slow in making new ones, since it takes their inodes for too recently deleted.
 */
export class Aside {
  readonly #trees: string[] = [];

  /** Renames a tree, which need not be there. */
  async put(tree: string): Promise<void> {
    const name = `${tree}.aside-${this.#trees.length}`;
    this.#trees.push(name);
    try {
      await rename(tree, name);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  /** Deletes what was put aside. */
  async remove(): Promise<void> {
    for (const tree of this.#trees.splice(0)) await remove(tree);
  }
}

/** Lets the disk finish what was prepared, so that it is not written while something is timed. */
export async function settle(): Promise<void> {
  const child = spawn("sync", { stdio: "inherit" });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

/** A backup's configuration, and the commands that use it. */
export interface BackupUnderTest {
  readonly destination: string;
  /** The compiled rclone-backup with these arguments before the configuration's name. */
  readonly command: (...args: readonly string[]) => Command;
  /** Another of the commands, with these arguments before the configuration's name. */
  readonly other: (name: string, ...args: readonly string[]) => Command;
  /** What the last of these commands used, its children left out. */
  readonly used: () => Promise<Used>;
}

export interface Setting {
  /** `secret:NAME` unless given. */
  readonly destination?: string;
  readonly rcloneConf?: string;
  /** Sections beyond what every backup has. */
  readonly more?: string;
}

/** Configures a backup of `source` into `secret:NAME`; everything else is left at its default. */
export async function configure(
  place: Place,
  name: string,
  source: string,
  rclone: Rclone,
  setting: Setting = {},
): Promise<BackupUnderTest> {
  const { destination = `secret:${name}`, rcloneConf = place.rcloneConf, more = "" } = setting;
  // A directory of its own, as the backups of a directory look at each other's destinations.
  const directory = path.join(place.root, "config", name);
  await mkdir(directory);
  const file = path.join(directory, `${name}.conf`);
  await writeFile(
    file,
    `[default]\nsource = ${source}\ndestination = ${destination}\n[rclone]\nprogram = ${rclone.path}\nconfig = ${rcloneConf}\n${more}`,
  );
  const usedFile = path.join(place.scratch, `${name}.used`);
  const other: BackupUnderTest["other"] = (command, ...args) =>
    watched(place, usedFile, programOf(place, command), ...args, file);
  return {
    destination,
    command: (...args) => other("rclone-backup", ...args),
    other,
    used: () => readUsed(usedFile),
  };
}

/** `rclone-backup --help`, started as users do: nothing recorded. */
export function helpCommand(place: Place): Command {
  const args = [programOf(place, "rclone-backup"), "--help"];
  return { program: process.execPath, args, env: place.env };
}
