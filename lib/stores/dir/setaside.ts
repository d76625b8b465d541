import { failed, usage } from "../../errors.ts";
import { remoteFeatures } from "../../rclone/remotefeatures.ts";
import type { DirContext } from "./context.ts";

/** How a store gets a file out of the way. */
export type SetAside = "move" | "copy and delete";

/**
 * Asks whether the store can move or copy files by itself. Throws a usage failure where it can't:
 * every replaced file would be downloaded and uploaded.
 */
export async function howSetAside(context: DirContext): Promise<SetAside> {
  const { rclone, history, tuning, signal } = context;
  const told = await remoteFeatures(rclone, history, tuning, signal);
  if (typeof told === "string")
    throw failed(
      `history: expected rclone to tell what the destination's remote can do, found ${told}`,
    );
  const { can } = told;
  if (can["Move"] === true) return "move";
  if (can["Copy"] === true) return "copy and delete";
  throw usage(
    "history.kind: expected a destination that can move or copy files by itself, as dir needs, found one that can't",
    { hint: "set [history] kind = none, or choose another destination" },
  );
}
