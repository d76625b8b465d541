import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure, interrupted } from "../../errors.ts";
import { formatBytes, formatVersions } from "../../units/format.ts";
import { withHistoryUnderLock } from "../openhistory.ts";
import { timesOf, timesOfRuns } from "../prune/clock.ts";
import type { Pruned } from "../result.ts";
import { warn, type Run } from "./run.ts";

/**
 * Removes what the policies no longer keep, under the lock of a backup that was a success. Whatever
 * goes wrong is a warning of the run: the backup itself is good. The clock is judged by the run before
 * this one. Returns what was removed; undefined where an error ended it. Throws interrupted when a signal came.
 */
export async function expire(run: Run): Promise<Pruned | undefined> {
  const { session, files, record, history: dated } = run;
  const { events, signal } = session.world;
  const scratch = join(run.scratch, "prune");
  try {
    await mkdir(scratch);
    const times =
      record === undefined && dated !== undefined ? timesOfRuns(dated.runs) : timesOf(record);
    const { pruneHistory } = await import("../prune.ts");
    const result = await withHistoryUnderLock(
      { session, files, scratch },
      { needs: ["deleteFiles"] },
      (history) => pruneHistory(history, nightly, { record, times }),
    );
    if (result.outcome === "interrupted") signal.throwIfAborted();
    if (result.message !== undefined) warn(run, `prune: ${result.message}`);
    if (result.undecodable > 0)
      events.detail(
        1,
        `prune: left ${formatVersions(result.undecodable)} alone, under names that are not of this backup`,
      );
    const { removed: versions, bytes, failures } = result.applied ?? nothing;
    events.detail(1, `prune: removed ${formatVersions(versions)} (${formatBytes(bytes)})`);
    return { versions, bytes, failures: failures.length, unfinished: result.unfinished.cancelled };
  } catch (error) {
    if (signal.aborted)
      throw interrupted(
        "stopped by a signal while old versions were removed; the backup itself is good",
        { hint: "what was removed until then is consistent; the next run goes on", cause: error },
      );
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Failure && error.hint !== undefined ? ` (${error.hint})` : "";
    warn(run, `prune: ${message}${hint}`);
    return undefined;
  }
}

const nothing = { removed: 0, bytes: 0, failures: [] };

const nightly = {
  ...{ dryRun: false, purge: false, explain: [], files: true, unfinished: true },
  ...{ allowClock: false, quietLines: true },
} as const;
