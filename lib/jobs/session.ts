import { stat } from "node:fs/promises";
import { totalmem } from "node:os";
import type { Backup } from "../config/backup.ts";
import { usage } from "../errors.ts";
import type { Tuning } from "../rclone/argv.ts";
import { childEnvironment } from "../rclone/environment.ts";
import { configVariable, parseLocation, safeLocation, type Location } from "../rclone/location.ts";
import { featuresOf, findProgram, probe, type Features } from "../rclone/program.ts";
import { readRemotes } from "../rclone/remotes.ts";
import {
  resolveLocation,
  type Place,
  type Remotes,
  type ResolveContext,
} from "../rclone/resolve.ts";
import type { Rclone } from "../rclone/run.ts";
import { realpathOfMissing } from "../state/realpath.ts";
import type { Events } from "../units/events.ts";

/** What a job may use of the world; tests pass their own. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly now: () => Date;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
  readonly events: Events;
}

/** A backup, the rclone that serves it, and where its ends really are. */
export interface Session {
  readonly world: World;
  readonly backup: Backup;
  readonly rclone: Rclone;
  readonly features: Features;
  readonly tuning: Tuning;
  /** As rclone is given them: nothing secret in them. */
  readonly source: string;
  readonly destination: string;
  readonly sourcePlace: Place;
  readonly destinationPlace: Place;
  /** Absolute path of the source's directory when it is on this machine. */
  readonly localSource: string | undefined;
  /** Options of the configured remotes; among them are secrets. */
  readonly remotes: Remotes;
  /** Where a location is, by the remotes of this session. Throws a usage failure. */
  readonly resolve: (location: string) => Place;
  /** Where a location of another backup is, by the remotes of its own rclone configuration. */
  readonly resolveElsewhere: (location: string, rcloneConfig: string | undefined) => Promise<Place>;
}

export interface SessionOptions {
  readonly copyLinks?: boolean | undefined;
  readonly rcloneConfig?: string | undefined;
}

/**
 * Finds rclone, asks it for its version and remotes, and sees through the locations.
 * Throws when rclone is missing or too old, or a location can't be understood.
 */
export async function openSession(
  backup: Backup,
  options: SessionOptions,
  world: World,
): Promise<Session> {
  const { env, dropped } = childEnvironment(world.env, totalmem());
  if (dropped.length > 0) {
    world.events.warn(
      `environment: ${dropped.join(", ")} ${dropped.length === 1 ? "is" : "are"} not passed on to rclone (use [rclone] in ${backup.file})`,
    );
  }
  const program = await findProgram(backup.rclone.program, world.env);
  const source = safeLocation(backup.source, "backup_source");
  const destination = safeLocation(backup.destination, "backup_destination");
  refuseMixedParameters(parseLocation(backup.source), parseLocation(backup.destination));
  const rcloneConfig = options.rcloneConfig ?? backup.rclone.config;
  const base: Rclone = {
    program,
    env: {
      ...env,
      ...(backup.rclone.password === undefined
        ? {}
        : { RCLONE_CONFIG_PASS: backup.rclone.password }),
      ...source.env,
      ...destination.env,
    },
    common: await commonFlags(rcloneConfig),
  };
  const { features, remotes } = await askRclone(base, world.signal);
  const context = resolveContext(remotes, base, world);
  const sourcePlace = resolveLocation(backup.source, context);
  const destinationPlace = resolveLocation(backup.destination, context);
  const rclone = {
    ...base,
    env: { ...base.env, ...safeOverrides(sourcePlace), ...safeOverrides(destinationPlace) },
  };
  return {
    world,
    backup,
    rclone,
    features,
    tuning: {
      copyLinks: options.copyLinks ?? backup.copyLinks,
      transfers: backup.rclone.transfers,
      checkers: backup.rclone.checkers,
      bwlimit: backup.rclone.bwlimit,
      flags: backup.rclone.flags,
    },
    source: source.argument,
    destination: destination.argument,
    sourcePlace,
    destinationPlace,
    localSource: localPath(sourcePlace),
    remotes,
    resolve: (location) => resolveLocation(location, context),
    resolveElsewhere: elsewhere(base, rcloneConfig, context, world),
  };
}

async function askRclone(
  rclone: Rclone,
  signal: AbortSignal,
): Promise<{ readonly features: Features; readonly remotes: Remotes }> {
  try {
    const { remotes, version } = await readRemotes(rclone, signal);
    const features =
      version === undefined ? await probe(rclone, signal) : featuresOf(rclone.program, version);
    return { features, remotes };
  } catch (error) {
    // What is too old or no rclone at all fails here too: then its version is what has to be told.
    await probe(rclone, signal);
    throw error;
  }
}

function resolveContext(remotes: Remotes, rclone: Rclone, world: World): ResolveContext {
  return { remotes, env: rclone.env, realpath: realpathOfMissing, cwd: world.cwd };
}

/** Asks rclone once for the remotes of each other configuration. */
function elsewhere(
  base: Rclone,
  ownConfig: string | undefined,
  context: ResolveContext,
  world: World,
): Session["resolveElsewhere"] {
  const known = new Map<string | undefined, Promise<Remotes>>([
    [ownConfig, Promise.resolve(context.remotes)],
  ]);
  return async (location, rcloneConfig) => {
    const read = async (): Promise<Remotes> =>
      (await readRemotes({ ...base, common: await commonFlags(rcloneConfig) }, world.signal))
        .remotes;
    const remotes = known.get(rcloneConfig) ?? read();
    known.set(rcloneConfig, remotes);
    return resolveLocation(location, { ...context, remotes: await remotes });
  };
}

async function commonFlags(rcloneConfig: string | undefined): Promise<string[]> {
  return [...(await configFlags(rcloneConfig)), "--ask-password=false"];
}

async function configFlags(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [];
  try {
    if ((await stat(file)).isFile()) return ["--config", file];
  } catch (error) {
    throw usage(`rclone's configuration: expected a file ${file}, found none that can be read`, {
      hint: "check [rclone] config or --rclone-config; rclone config file tells where yours is",
      cause: error,
    });
  }
  throw usage(`rclone's configuration: expected a file ${file}, found something else`);
}

/** Parameters go to rclone as variables of the remote's name, so they can't differ between two uses. */
function refuseMixedParameters(source: Location, destination: Location): void {
  if (source.kind === "local" || destination.kind === "local") return;
  if (source.onTheFly || destination.onTheFly || source.name !== destination.name) return;
  if (source.parameters.size === 0 && destination.parameters.size === 0) return;
  throw usage(
    `remote ${source.name}: expected connection-string parameters only where source and destination are different remotes, found both on one`,
    {
      hint: "make a second remote with rclone config",
    },
  );
}

/** Options that would delete for good or show old versions are switched off, whatever the configuration says. */
function safeOverrides(place: Place): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const { remote, option } of place.hazards) {
    if (remote === undefined) {
      throw usage(
        `connection string: expected no ${option}, which changes what a sync deletes, found it set`,
        {
          hint: `remove ,${option} from the location`,
        },
      );
    }
    overrides[configVariable(remote, option)] = option === "version_at" ? "off" : "false";
  }
  return overrides;
}

/** The directory of a place on this machine; undefined for any other store. */
export function localPath(place: Place): string | undefined {
  // An alias changes nothing but the name; any other overlay stores files in a way of its own.
  const plain = place.layers.every((layer) => layer === "alias" || layer === "local");
  if (place.store !== "local" || !plain) return undefined;
  return `/${place.segments.join("/")}`;
}
