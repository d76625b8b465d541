import { skipped } from "../../errors.ts";
import { readPaused } from "../../state/paused.ts";
import type { StateFiles } from "../statefiles.ts";

/**
 * Throws skipped while the backup is paused after a roll-back: the source may still be what is wrong;
 * failed when the file that says so is damaged.
 */
export async function requireNotPaused(name: string, files: StateFiles): Promise<void> {
  const paused = await readPaused(files.paused);
  if (paused === undefined) return;
  const { asOf, complete } = paused;
  throw skipped(
    `${name} is paused: it was rolled back to ${asOf}${complete ? "" : ", which is not complete"}`,
    {
      hint: complete
        ? `bring the source in order (rclone-restore), then rclone-recover --resume ${name}`
        : `rclone-recover --as-of ${asOf} ${name} goes on with the roll-back`,
    },
  );
}
