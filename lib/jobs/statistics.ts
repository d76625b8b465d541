import type { Stats } from "../rclone/log.ts";
import type { Progress } from "../units/events.ts";

/** rclone's statistics as progress of a stage. */
export function progressOf(
  stage: Progress["stage"],
  stats: Stats,
  known: { files?: number; bytes?: number } = {},
): Progress {
  const verifying = stage === "verifying";
  return {
    stage,
    doneFiles: verifying ? stats.checks : stats.checks + stats.transfers,
    totalFiles:
      known.files ?? (verifying ? stats.totalChecks : stats.totalChecks + stats.totalTransfers),
    doneBytes: stats.bytes,
    totalBytes: known.bytes ?? stats.totalBytes,
    rate: stats.speed > 0 ? stats.speed : undefined,
    etaSeconds: stats.etaSeconds,
  };
}
