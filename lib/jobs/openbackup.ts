import { loadBackup, loadLocation, type LoadedBackup } from "../config/load.ts";
import { parseLocation, redactLocation } from "../rclone/location.ts";
import { openSession, type Session, type World } from "./session.ts";
import type { Unnamed } from "./unnamed.ts";

/** Options of the command line that every command on a backup has. */
export interface OpenOptions {
  readonly set?: readonly string[] | true | undefined;
  readonly configDir?: string | undefined;
  readonly rcloneConfig?: string | undefined;
  readonly copyLinks?: boolean | undefined;
}

/** A backup with its session. */
export interface OpenBackup {
  readonly loaded: LoadedBackup;
  readonly session: Session;
}

/** Loads a backup by its name or file and asks rclone what is needed to work with it. */
export async function openBackup(
  name: string,
  options: OpenOptions,
  world: World,
): Promise<OpenBackup> {
  const loaded = await loadBackup(name, loadOptions(options, world));
  return { loaded, session: await openSession(loaded.backup, options, world) };
}

/** Whether a backup was named by its location, `remote:path`: no configuration is read then. */
function isUnnamed(name: string): boolean {
  return parseLocation(name).kind !== "local";
}

/** How a backup was named by its location; undefined where it was not. */
export function unnamed(name: string, { configDir }: OpenOptions): Unnamed | undefined {
  return isUnnamed(name) ? { configDir } : undefined;
}

/** The same for commands that need a store only: `remote:path` stands for a backup there. */
export async function openBackupOrLocation(
  name: string,
  options: OpenOptions,
  world: World,
): Promise<OpenBackup> {
  if (!isUnnamed(name)) return openBackup(name, options, world);
  const loaded = await loadLocation(name, redactLocation(name), loadOptions(options, world));
  return { loaded, session: await openSession(loaded.backup, options, world) };
}

function loadOptions(
  { set, configDir }: OpenOptions,
  { env }: World,
): { env: World["env"]; set: readonly string[]; configDir: string | undefined } {
  return { env, configDir, set: set === undefined || set === true ? [] : set };
}
