import type { HistoryKind } from "../../config/kinds.ts";
import { Failure } from "../../errors.ts";
import { findStore, type FoundStore } from "../../stores/find.ts";
import type { ResolveContext } from "../../rclone/resolve.ts";
import { storeWorld } from "../openhistory.ts";
import type { World } from "../session.ts";

/**
 * How a new backup keeps old versions: by the store where that does so now, else in dated directories.
 * Throws a Failure when an S3 store can't be asked.
 */
export async function chooseHistory(
  base: string,
  context: Pick<ResolveContext, "remotes" | "env">,
  world: World,
): Promise<HistoryKind> {
  const found = seenThrough(base, context);
  if (found?.type === "b2") return "auto";
  if (found?.type !== "s3") return "dir";
  const { openS3 } = await import("../../stores/s3/open.ts");
  let keeps = true;
  try {
    const store = await openS3({
      ...{ options: found.options, path: found.path, world: storeWorld({ world }) },
      // Told of a bucket whose versioning is suspended or may not be asked for.
      onNote: () => (keeps = false),
    });
    await store.close();
  } catch (error) {
    if (!(error instanceof Failure) || error.outcome !== "usage") throw error;
    keeps = false;
  }
  return keeps ? "auto" : "dir";
}

/** The store below; undefined where something lies above it that hides versions. */
function seenThrough(
  base: string,
  context: Pick<ResolveContext, "remotes" | "env">,
): FoundStore | undefined {
  try {
    return findStore(base, context);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
