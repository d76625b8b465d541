import type { StoredVersion } from "../store.ts";
import { currentId } from "./timeline.ts";

/**
 * Where versions are now that were current when they were listed: one of them may have been set aside
 * since, and something else be at its name. What was set aside gets the id of the run in whose
 * directory it lies; what is nowhere is left out. The rest is returned as it is.
 */
export async function locate(
  versions: readonly StoredVersion[],
  versionsOf: (name: StoredVersion["name"]) => Promise<readonly StoredVersion[]>,
): Promise<ReadonlyMap<StoredVersion, StoredVersion>> {
  const found = new Map(versions.map((version) => [version, version]));
  for (const version of versions) {
    if (version.id !== currentId) continue;
    const now = (await versionsOf(version.name)).find((other) => isSame(version, other));
    if (now === undefined) found.delete(version);
    else found.set(version, now);
  }
  return found;
}

/** A copy that was made current has another time in the store. */
function isSame(one: StoredVersion, other: StoredVersion): boolean {
  return (
    other.kind === "file" &&
    one.size === other.size &&
    one.modifiedAt === other.modifiedAt &&
    one.storedAt === other.storedAt
  );
}
