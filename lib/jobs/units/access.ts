import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { loadAll } from "../../config/all.ts";
import type { Backup } from "../../config/backup.ts";
import { usage, type Failure } from "../../errors.ts";
import type { Place } from "../../rclone/resolve.ts";
import type { ServiceOptions } from "../../service/options.ts";
import { historyOf } from "../history.ts";
import type { OpenOptions } from "../openbackup.ts";
import { loadSettings } from "../../suite/settings.ts";
import { openSession, type Session, type World } from "../session.ts";

/** What the configurations ask of a service. */
export interface Needs {
  readonly directory: string;
  readonly schedules: ServiceOptions["schedules"];
  readonly access: ServiceOptions["access"];
  /** Absolute paths of the rclones that they use. */
  readonly programs: readonly string[];
  /** Commands of the user's own, which may write anywhere. */
  readonly hasHooks: boolean;
  /** Some mail is handed to the sendmail of this machine. */
  readonly localMail: boolean;
  /** The file of settings that RCLONE_BACKUPS_DEFAULTS names, absolute; undefined: the usual one. */
  readonly settingsFile: string | undefined;
  /** What a service would do without that knows the file only. */
  readonly warnings: readonly string[];
}

export interface NeedsOptions extends OpenOptions {
  /** No archive of special files is written into the source. */
  readonly readOnlySource: boolean;
  /** Other directories to write to, absolute. */
  readonly writable: readonly string[];
}

/**
 * Reads all configurations of the directory and asks rclone where their ends are.
 * Throws what loading one throws, and a usage failure where there is none.
 */
export async function needsOfAll(options: NeedsOptions, world: World): Promise<Needs> {
  const { looked, backups } = await loadThem(options, world);
  const [directory] = looked;
  if (backups.length === 0 || directory === undefined) throw nothingToRun(looked);
  const { default: pMap } = await import("p-map");
  const { settings, file, fromEnvironment } = await loadSettings(world);
  const settingsFile = world.env["RCLONE_BACKUPS_DEFAULTS"] ? file : undefined;
  const sessions = await pMap(backups, async (backup) => openSession(backup, options, world), {
    concurrency: 4,
  });
  const places = await Promise.all(
    sessions.map(async (session) => placesOf(session, options, world)),
  );
  const scheduled = backups.filter(({ schedule }) => schedule.cron !== undefined).length;
  return {
    directory,
    schedules: scheduled === 0 ? "none" : scheduled === backups.length ? "all" : "some",
    access: {
      used: unique([
        ...places.flatMap(({ used }) => used),
        ...(settingsFile === undefined ? [] : [settingsFile]),
      ]),
      writable: unique([...places.flatMap(({ writable }) => writable), ...options.writable]),
    },
    programs: unique(sessions.map(({ rclone }) => rclone.program)),
    hasHooks: [
      ...[settings.beforeAll, settings.afterAll, settings.notify.command],
      ...backups.flatMap(({ hooks: { pre, post, failure }, schedule, notify }) => [
        ...[pre, post, failure, schedule.skipUnless, notify.command],
      ]),
    ].some((command) => command !== undefined),
    localMail: [settings, ...backups].some(
      ({ notify: { mail, smtp } }) => mail.length > 0 && smtp === undefined,
    ),
    settingsFile,
    warnings:
      fromEnvironment.length === 0
        ? []
        : [
            `${fromEnvironment.join(", ")}: set in the environment of this command, which the service does not have; write it to ${file}`,
          ],
  };
}

async function loadThem(
  { set, configDir }: OpenOptions,
  { env }: World,
): Promise<{ readonly looked: readonly string[]; readonly backups: readonly Backup[] }> {
  const overrides = set === undefined || set === true ? [] : set;
  const { looked, configs } = await loadAll([], { env, configDir, set: overrides });
  const backups = configs.flatMap(({ file, loaded, problem }) => {
    if (problem === undefined) return [loaded.backup];
    // rclone's own configuration may lie beside ours.
    if (basename(file) === "rclone.conf") return [];
    throw problem;
  });
  return { looked, backups };
}

function nothingToRun(looked: readonly string[]): Failure {
  return usage(`expected a configuration to run, found none in ${looked.join(", ")}`, {
    hint: "make one with rclone-backups init, or name its directory with --config-dir",
  });
}

interface Places {
  readonly used: readonly string[];
  readonly writable: readonly string[];
}

async function placesOf(session: Session, options: NeedsOptions, world: World): Promise<Places> {
  const { backup, localSource, destinationPlace } = session;
  const history = await historyOf(session);
  const stores = [destinationPlace, ...(history === undefined ? [] : [history.place])]
    .map(localBase)
    .filter((path) => path !== undefined);
  const archives = localSource !== undefined && backup.archiveSpecials && !options.readOnlySource;
  return {
    used: [...(localSource === undefined ? [] : [localSource]), ...stores],
    writable: [
      ...(archives ? [localSource] : []),
      ...(await Promise.all(stores.map(async (path) => existing(path, path)))),
      ...(await tokens(session, options, world)),
    ],
  };
}

/** The directory of this machine in which a place's files are, whatever encrypts their names. */
function localBase(place: Place): string | undefined {
  if (place.store !== "local") return undefined;
  const isEncrypted = (segment: string): boolean =>
    place.keys.some((key) => segment.startsWith(`${key}:`));
  const end = place.segments.findIndex(isEncrypted);
  return `/${(end === -1 ? place.segments : place.segments.slice(0, end)).join("/")}`;
}

/** What isn't there can't be made writable by itself: the nearest directory above is. */
async function existing(path: string, wanted: string): Promise<string> {
  if (path === "/" && wanted !== "/")
    throw usage(`expected a directory ${wanted} to write to, found none`, {
      hint: `mkdir -p ${wanted}`,
    });
  return (await isDirectory(path)) ? path : existing(dirname(path), wanted);
}

/** rclone keeps the tokens of some providers in its configuration and replaces them as they expire. */
async function tokens(session: Session, options: OpenOptions, world: World): Promise<string[]> {
  const { HOME: home, RCLONE_CONFIG: fromEnv } = world.env;
  const named = options.rcloneConfig ?? session.backup.rclone.config ?? fromEnv;
  const usual = home ? `${home}/.config/rclone/rclone.conf` : undefined;
  const file = named || usual;
  if (file === undefined) return [];
  const directory = dirname(resolve(world.cwd, file));
  return (await isDirectory(directory)) ? [directory] : [];
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

function unique(paths: readonly string[]): string[] {
  return [...new Set(paths)].toSorted();
}
