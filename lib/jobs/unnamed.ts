import { nameableConfigs } from "../config/find.ts";
import { Failure, usage } from "../errors.ts";
import { redactLocation } from "../rclone/location.ts";
import { overlap, placeKey, type Overlap } from "../rclone/resolve.ts";
import { placesOf } from "./backup/others.ts";
import { recordedBackups } from "./backup/recorded.ts";
import type { Session } from "./session.ts";

/** How a backup was named by its location, `remote:path`. */
export interface Unnamed {
  /** The directory of configurations that the command line names. */
  readonly configDir: string | undefined;
}

/** A backup that keeps files in a place, and how the place lies to that. */
interface Neighbour {
  readonly name: string;
  readonly config: string;
  readonly lies: Exclude<Overlap, "none">;
}

/**
 * Sees to it that `remote:path` is not pruned by policies that its backup doesn't have: throws usage
 * where a backup is known to be there, inside or around, and warns where none is. With `purge`, which asks no
 * policy, the very place of a backup is fine.
 */
export async function requireNoPolicies(
  session: Session,
  { configDir }: Unnamed,
  purge: boolean,
): Promise<void> {
  const destination = redactLocation(session.backup.destination);
  const known = await neighbours(session, configDir);
  refuseNested(destination, known, ({ name, config }) =>
    purge
      ? `use its name: rclone-prune --purge --force ${name} (${config})`
      : `use its name ${name} (${config}): the policies of each of its paths are set there`,
  );
  if (purge) return;
  const [equal] = known;
  if (equal !== undefined)
    throw usage(
      `${destination}: expected the name of the backup that is there, ${equal.name}, found its location, for which no policies are set`,
      {
        hint: `use its name ${equal.name} (${equal.config}); --purge --force removes every old version without any policy`,
      },
    );
  session.world.events.warn(
    `${destination}: no configuration says what is kept there, so the built-in policy default applies to all of it`,
  );
}

/**
 * Sees to it that nothing is removed from a part of a backup, or from around one, under a lock that
 * doesn't keep the backup out. Throws usage.
 */
export async function requireOwnLock(session: Session, { configDir }: Unnamed): Promise<void> {
  refuseNested(
    redactLocation(session.backup.destination),
    await neighbours(session, configDir),
    ({ name, config }) =>
      `use its name, and paths from its top: rclone-cleanup ${name} PATH (${config})`,
  );
}

function refuseNested(
  destination: string,
  known: readonly Neighbour[],
  hint: (nested: Neighbour) => string,
): void {
  const nested = known.find(({ lies }) => lies !== "equal");
  if (nested === undefined) return;
  const where =
    nested.lies === "first-inside-second"
      ? `a location inside the backup ${nested.name}`
      : `a location around the backup ${nested.name}`;
  throw usage(
    `${destination}: expected a backup's name, or a location that no backup shares, found ${where}`,
    { hint: hint(nested) },
  );
}

/** The backups that ran here or are configured here, and keep files in the place of this session, inside or around. */
async function neighbours(session: Session, configDir: string | undefined): Promise<Neighbour[]> {
  const { backup, world, destinationPlace: own } = session;
  const recorded = (await recordedBackups(session)).filter(({ config }) => config !== backup.file);
  const configs = [
    ...(await nameableConfigs({ configDir, env: world.env })),
    ...recorded.map(({ config }) => config),
  ];
  const found: Neighbour[] = [];
  for await (const { file, name, owned } of placesOf(session, [...new Set(configs)]))
    for (const { what, place } of owned) {
      const lies = overlap(own, place);
      // Old versions are no backup that could be meant by their place.
      if (lies === "equal" && what === "history")
        found.push({ name, config: file, lies: "first-inside-second" });
      else if (lies !== "none") found.push({ name, config: file, lies });
    }
  // Of a backup whose configuration is gone, the state tells the place.
  for (const { name, config, directory, destination } of recorded) {
    const isHere = directory.endsWith(`-${placeKey(own)}`);
    const lies = isHere ? "equal" : lieOf(session, destination);
    if (lies !== "none") found.push({ name, config, lies });
  }
  return found;
}

/** How the place of this session lies to a recorded destination; "none" where that can't be told. */
function lieOf({ resolve, destinationPlace }: Session, recorded: string): Overlap {
  try {
    return overlap(destinationPlace, resolve(recorded));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return "none";
  }
}
