import { constants, type Dirent } from "node:fs";
import { access, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { systemCode, usage } from "../errors.ts";
import { suggest } from "../units/suggest.ts";
import type { Environment } from "./interpolate.ts";

export interface FindOptions {
  readonly configDir?: string | undefined;
  readonly env: Environment;
}

const systemDir = "/etc/rclone-backups";
const suffix = ".conf";

/** What rclone's own configuration is called, which may lie beside ours. */
export const rcloneFile = "rclone.conf";

/** Where a bare name is looked up, in this order; absolute paths. */
export function configDirs({ configDir, env }: FindOptions): string[] {
  const { RCLONE_BACKUPS_DIR: fromEnv, HOME: home } = env;
  const dirs = [
    configDir,
    fromEnv,
    systemDir,
    home ? join(home, ".config", "rclone-backups") : undefined,
  ];
  return [
    ...new Set(
      dirs.filter((dir) => dir !== undefined && dir !== "").map((dir) => resolve(dir ?? "")),
    ),
  ];
}

/** The backup's name: the file's base name without `.conf`. */
export function backupName(file: string): string {
  return basename(file, suffix);
}

/**
 * The absolute path of a configuration: of a path as it is, of a bare name NAME.conf in the first
 * of the configuration directories that has it. `NAME.conf` without a slash may also stand in the
 * working directory.
 * Throws a usage failure that says where it looked and which name is near.
 */
export async function findConfig(nameOrPath: string, options: FindOptions): Promise<string> {
  if (nameOrPath === "")
    throw usage("expected the name or the path of a configuration, found an empty word");
  if (nameOrPath.includes("/")) return resolve(nameOrPath);
  if (nameOrPath.endsWith(suffix) && (await look(nameOrPath)) === "there")
    return resolve(nameOrPath);
  const name = nameOrPath.endsWith(suffix) ? nameOrPath : nameOrPath + suffix;
  const looked: string[] = [];
  for (const dir of configDirs(options)) {
    const file = join(dir, name);
    const found = await look(file);
    if (found === "there") return file;
    looked.push(found === "not there" ? file : `${file} (${found})`);
  }
  throw usage(
    `${nameOrPath}: expected a backup's name or the path of its configuration, found none at ${looked.join(", ")}`,
    {
      hint: await nearest(nameOrPath, options),
    },
  );
}

/**
 * All configurations of the one directory that is looked at, sorted; absolute paths. It is that of the
 * option, else that of the environment, else the first of the usual ones that holds any beside rclone.conf.
 * Throws a usage failure when a directory that was named can't be read.
 */
export async function listConfigs(options: FindOptions): Promise<ConfigList> {
  const dirs = configDirs(options);
  const isNamed = Boolean(options.configDir || options.env["RCLONE_BACKUPS_DIR"]);
  for (const directory of isNamed ? dirs.slice(0, 1) : dirs) {
    if (isNamed) await requireReadable(directory);
    const found = await configFiles(directory);
    const isEmpty = found.every((file) => basename(file) === rcloneFile);
    if (isNamed || !isEmpty) return { looked: [directory], files: found };
  }
  return { looked: dirs, files: [] };
}

export interface ConfigList {
  /** The directory that the files are in, or all that hold none. */
  readonly looked: readonly string[];
  readonly files: readonly string[];
}

async function requireReadable(directory: string): Promise<void> {
  try {
    await readdir(directory);
  } catch (cause) {
    throw usage(
      `${directory}: expected a directory of configurations, found none that can be read (${systemCode(cause) ?? "unknown error"})`,
      { hint: "check --config-dir and RCLONE_BACKUPS_DIR", cause },
    );
  }
}

/** The configurations of all directories in which names are looked up; absolute paths. Never throws. */
export async function nameableConfigs(options: FindOptions): Promise<string[]> {
  return (await Promise.all(configDirs(options).map(configFiles))).flat();
}

/**
 * The other configurations in the directory of `file`, sorted; absolute paths. Hidden files and
 * what isn't a regular file are left out.
 */
export async function siblingConfigs(file: string): Promise<string[]> {
  const own = resolve(file);
  const dir = dirname(own);
  return (await configFiles(dir)).filter((path) => path !== own);
}

async function nearest(word: string, options: FindOptions): Promise<string> {
  if (await isFile(word)) return `for the file in this directory, write ./${word}`;
  const lists = await Promise.all(configDirs(options).map(configNames));
  const names = [...new Set(lists.flat().map(backupName))];
  const near = suggest(backupName(word), names);
  if (near !== undefined) return `did you mean ${near}?`;
  if (names.length === 0)
    return `write ${word.replace(/\.conf$/, "")}.conf into one of these directories, or give a path`;
  return `known names: ${names.slice(0, 20).join(", ")}`;
}

/** Regular files and links to such. */
async function configFiles(dir: string): Promise<string[]> {
  const entries = await configEntries(dir);
  // Only a link has to be looked at.
  const regular = await Promise.all(
    entries.map(async (entry) => entry.isFile() || isFile(join(dir, entry.name))),
  );
  return entries.filter((_, index) => regular[index]).map(({ name }) => join(dir, name));
}

async function configNames(dir: string): Promise<string[]> {
  return (await configEntries(dir)).map(({ name }) => name);
}

async function configEntries(dir: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries
      .filter(({ name }) => name.endsWith(suffix) && !name.startsWith("."))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // A directory that isn't there or can't be read has no names to offer.
    return [];
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Where a file really is; its own path where that can't be told. */
export async function realpathOrSame(file: string): Promise<string> {
  return realpath(file).catch(() => file);
}

/** What can't be looked at is told from what isn't there: the user must hear of it. */
export async function look(file: string): Promise<"there" | "not there" | "permission denied"> {
  try {
    await access(file, constants.F_OK);
    return "there";
  } catch (error) {
    return systemCode(error) === "EACCES" ? "permission denied" : "not there";
  }
}
