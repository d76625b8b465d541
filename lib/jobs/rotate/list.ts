import path from "node:path";
import { chainsOf, type Chain } from "../../physical/chains.ts";
import { lookAt } from "../../physical/look.ts";
import { realpathOfMissing } from "../../state/realpath.ts";
import { lockPlace, Place, type RotateWorld } from "./place.ts";

/** The backups of a directory as chains; what is no backup is told. Throws failed where it can't be read. */
export async function listRotation(
  directory: string,
  world: RotateWorld,
): Promise<{ readonly directory: string; readonly chains: readonly Chain[] }> {
  const place = new Place(realpathOfMissing(path.resolve(world.cwd, directory)));
  const lock = await lockPlace(place, "shared", world);
  try {
    const { backups, foreign } = await lookAt(place.directory, world.signal);
    for (const name of foreign) world.events.warn(`passed over, since it is no backup: ${name}`);
    return { directory: place.directory, chains: chainsOf(backups) };
  } finally {
    await lock?.release();
  }
}
