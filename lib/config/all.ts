import { basename } from "node:path";
import { Failure } from "../errors.ts";
import { readChain } from "./chain.ts";
import { keys } from "./definition.ts";
import { backupName, findConfig, listConfigs, rcloneFile, realpathOrSame } from "./find.ts";
import { loadBackup, type LoadedBackup, type LoadOptions } from "./load.ts";
import { readOverrides, type Overrides } from "./overrides.ts";
import { settle } from "./settle.ts";

/** A configuration, or what keeps it from being loaded. */
export type FoundConfig = { readonly name: string; readonly file: string } & (
  | { readonly loaded: LoadedBackup; readonly problem?: undefined }
  | { readonly loaded?: undefined; readonly problem: Failure }
);

export interface AllConfigs {
  /** The directories that were looked at; empty where all were named. */
  readonly looked: readonly string[];
  readonly configs: readonly FoundConfig[];
}

/**
 * Loads the backups that are named, or without names every one of the configuration directory. A file
 * there that others extend, and that has no source or no destination itself, is none; nor is an rclone
 * configuration: one that others name as theirs, or an rclone.conf with neither source nor destination.
 * What is wrong with one stands in its place. Throws a usage failure for a name that means no file.
 */
export async function loadAll(names: readonly string[], options: LoadOptions): Promise<AllConfigs> {
  if (names.length > 0) {
    const files = await Promise.all(names.map(async (name) => findConfig(name, options)));
    return { looked: [], configs: await loadEach([...new Set(files)], options) };
  }
  const { looked, files } = await listConfigs(options);
  const all = await loadEach(files, options);
  const wrong = all.filter(({ problem }) => problem !== undefined);
  if (wrong.length === 0) return { looked, configs: all };
  const drafts = new Map<string, Draft>();
  for (const { file } of wrong) drafts.set(file, await readDraft(file, options));
  const extended = new Set(all.flatMap(({ loaded }) => loaded?.parents ?? []));
  const named = [
    ...all.flatMap(({ loaded }) => loaded?.backup.rclone.config ?? []),
    ...[...drafts.values()].flatMap(({ rcloneConfig }) => rcloneConfig ?? []),
  ];
  const rcloneConfigs = new Set(await Promise.all([...new Set(named)].map(realpathOrSame)));
  const isNone = async ({ file }: FoundConfig): Promise<boolean> => {
    const draft = drafts.get(file);
    if (draft === undefined) return false;
    if (extended.has(file) && draft.isSound && draft.ends < 2) return true;
    if (basename(file) === rcloneFile && draft.ends === 0) return true;
    return rcloneConfigs.size > 0 && rcloneConfigs.has(await realpathOrSame(file));
  };
  const none = await Promise.all(all.map(isNone));
  return { looked, configs: all.filter((_, at) => none[at] !== true) };
}

async function loadEach(files: readonly string[], options: LoadOptions): Promise<FoundConfig[]> {
  const { default: pMap } = await import("p-map");
  const overrides = readOverrides(options.env, options.set);
  // Many small files: while some are read, others are parsed.
  return pMap(files, async (file) => loadOne(file, options, overrides), { concurrency: 32 });
}

async function loadOne(
  file: string,
  options: LoadOptions,
  overrides: Overrides,
): Promise<FoundConfig> {
  const name = backupName(file);
  try {
    return { name, file, loaded: await loadBackup(file, options, overrides) };
  } catch (error) {
    if (error instanceof Failure) return { name, file, problem: error };
    throw error;
  }
}

/** What can be read of a configuration that can't be loaded. */
interface Draft {
  /** Nothing is wrong but what is missing. */
  readonly isSound: boolean;
  /** How many of source and destination are set. */
  readonly ends: number;
  readonly rcloneConfig: string | undefined;
}

async function readDraft(file: string, options: LoadOptions): Promise<Draft> {
  try {
    const chain = await readChain(file, options);
    const { values, problems } = settle(chain, new Map(), options.env);
    return {
      isSound: chain.problems.length === 0 && problems.length === 0,
      ends: [keys.source, keys.destination]
        .map((key) => values.get(key.id))
        .filter((end) => end?.text || end?.spoilt === true).length,
      rcloneConfig: values.get(keys.config.id)?.text || undefined,
    };
  } catch (error) {
    // It can't be read at all.
    if (error instanceof Failure) return { isSound: false, ends: 0, rcloneConfig: undefined };
    throw error;
  }
}
