import { refused } from "../errors.ts";
import { mendCutRuns } from "../stores/dir/mendrun.ts";
import { cutRuns, listRuns } from "../stores/dir/runs.ts";
import { putBackText } from "./backup/history.ts";
import { refuseShared } from "./backup/overlaps.ts";
import { distrustManifest } from "./changerecord.ts";
import { historyOf, type HistoryPlace } from "./history.ts";
import { nothingLeft } from "./nothingleft.ts";
import type { Session } from "./session.ts";
import type { StateFiles } from "./statefiles.ts";

interface Held {
  /** Its rclone holds the lock. */
  readonly session: Session;
  readonly files: StateFiles;
  readonly scratch: string;
}

/**
 * Sees to it that dated directories say what is there, before a command other than a backup changes
 * anything: closes runs that were cut off, as a backup does, or only tells of them, unless `changes`.
 * Does nothing for any other kind of history.
 * Throws usage where another configuration shares a place with this one, refused where nothing is left
 * of what the last run left: what was only not found would be taken for deleted.
 */
export async function readyDated(held: Held, changes: boolean): Promise<void> {
  const { session } = held;
  const history = await historyOf(session);
  if (history === undefined) return;
  await refuseShared(session, history);
  if (await closeCut(held, history, changes)) return;
  const wrong = await nothingLeft(held);
  if (wrong === undefined) return;
  throw refused(wrong, {
    hint: "see that its disk is mounted and that it is the right remote; nothing was changed, and rclone-restore --include-deleted reads what is in the dated directories",
  });
}

/** Returns whether files are missing at the destination for no other reason, or were a moment ago. */
async function closeCut(
  { session, files, scratch }: Held,
  history: HistoryPlace,
  changes: boolean,
): Promise<boolean> {
  const { rclone, features, tuning, destination, world } = session;
  const runs = await listRuns(rclone, history.location, tuning, world.signal);
  const cut = cutRuns(runs);
  if (cut.length === 0) return false;
  if (!changes) {
    const ids = cut.map(({ id }) => id).join(", ");
    world.events.warn(
      `run ${ids} was cut off: what it had moved to the old versions, with nothing new in its place, is moved back before anything else, and counts as there`,
    );
    return true;
  }
  await distrustManifest(files);
  const context = {
    ...{ rclone, features, tuning, destination, history: history.location },
    ...{ scratch, signal: world.signal },
  };
  let count = 0;
  for (const { run, ...put } of await mendCutRuns(context, runs)) {
    count += put.count;
    if (put.count > 0) world.events.warn(`run ${run.id} was cut off: ${putBackText(put)}`);
  }
  return count > 0;
}
