import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { failed, systemCode } from "../errors.ts";
import { readTree } from "./files.ts";
import { readManifest, type Manifest } from "./manifest.ts";
import { isBackupName, manifestName, workName } from "./names.ts";

/** A backup as it is found. */
export interface Backup extends Manifest {
  readonly bytes: number;
  /** What is wrong with its files; undefined where each has the size that it was written with. */
  readonly damage: string | undefined;
}

export interface Holding {
  /** By their numbers. */
  readonly backups: readonly Backup[];
  /** Paths of what no rotation wrote. */
  readonly foreign: readonly string[];
}

/** A manifest that was just being replaced when its writer was killed. */
const unfinished = new RegExp(`^\\.${manifestName.replaceAll(".", "\\.")}\\.\\d+-\\d+\\.tmp$`);

/**
 * The backups of a directory, every one of their files looked at; none where the directory is
 * missing. Throws failed where it can't be read: that is never an empty one.
 */
export async function lookAt(directory: string, signal: AbortSignal): Promise<Holding> {
  const backups: Backup[] = [];
  const foreign: string[] = [];
  for (const entry of await entriesOf(directory)) {
    signal.throwIfAborted();
    if (entry.name === workName && entry.isDirectory()) continue;
    const manifest =
      isBackupName(entry.name) && entry.isDirectory()
        ? await readManifest(path.join(directory, entry.name))
        : undefined;
    const isOurs =
      manifest?.name === entry.name && backups.every(({ number }) => number !== manifest.number);
    if (manifest === undefined || !isOurs) {
      foreign.push(entry.name);
      continue;
    }
    const { extra, damage } = compare(path.join(directory, entry.name), manifest);
    foreign.push(...extra.map((name) => path.join(entry.name, name)));
    const bytes = manifest.files.reduce((sum, [, size]) => sum + size, 0);
    backups.push({ ...manifest, bytes, damage });
    // So that signals are heard.
    await setImmediate();
  }
  return { backups: backups.toSorted((a, b) => a.number - b.number), foreign };
}

async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw failed(
      `expected a directory of backups, found ${directory}: ${systemCode(error) ?? String(error)}`,
      { cause: error },
    );
  }
}

/** The files of a backup against those that its manifest names. */
function compare(
  directory: string,
  manifest: Manifest,
): { readonly extra: readonly string[]; readonly damage: string | undefined } {
  const { files, others } = readTree(directory);
  const sizes = new Map(files);
  const named = new Set([manifestName, ...manifest.files.map(([name]) => name)]);
  const extra = [...sizes.keys(), ...others].filter(
    (name) => !named.has(name) && !unfinished.test(name),
  );
  for (const [name, size] of manifest.files) {
    const found = sizes.get(name);
    if (found === undefined) return { extra, damage: `its file ${name} is gone` };
    if (found !== size)
      return { extra, damage: `its file ${name} has ${found} bytes instead of ${size}` };
  }
  return { extra, damage: undefined };
}
