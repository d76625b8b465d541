import { peekDestinations, type FoundDestination } from "../../config/peek.ts";
import { Failure } from "../../errors.ts";
import type { Place } from "../../rclone/resolve.ts";
import { historyLocation } from "../../stores/dir/place.ts";
import type { Session } from "../session.ts";

/** A place of a configuration, and what lies there. */
export interface Owned {
  readonly what: "destination" | "history";
  readonly place: Place;
}

/** Another configuration, and where it keeps files. */
export interface Other {
  readonly file: string;
  readonly name: string;
  readonly owned: readonly Owned[];
}

/** Where other configurations keep files, by the remotes that each sees; what can't be told is left out. */
export async function* placesOf(session: Session, files: readonly string[]): AsyncGenerator<Other> {
  const { world } = session;
  for (const other of await peekDestinations(files, { env: world.env })) {
    if ("reason" in other) world.events.detail(1, `${other.file}: not compared: ${other.reason}`);
    else yield { file: other.file, name: other.name, owned: await placesOfOther(session, other) };
  }
}

async function placesOfOther(session: Session, other: FoundDestination): Promise<Owned[]> {
  const { world } = session;
  const { destination, dated } = other;
  const places: Owned[] = [];
  for (const what of ["destination", "history"] as const) {
    if (what === "history" && dated === undefined) continue;
    try {
      const location =
        what === "destination" ? destination : historyLocation(destination, dated?.dir, world.cwd);
      places.push({ what, place: await session.resolveElsewhere(location, other.rcloneConfig) });
    } catch (error) {
      if (!(error instanceof Failure) || world.signal.aborted) throw error;
      world.events.detail(1, `${other.file}: ${what} not compared: ${error.message}`);
    }
  }
  return places;
}
