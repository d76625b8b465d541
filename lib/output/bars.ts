import type { FinishedRun } from "../state/runs.ts";

const blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const plain = ["_", ".", "-", "=", "+", "*", "%", "#"];

/** Whether a run ended with a backup, though some files may have failed. */
export function hasBackup({ exitCode, result }: FinishedRun): boolean {
  return result !== "skipped" && (exitCode === 0 || exitCode === 3);
}

/**
 * A character a run, as high as the source was large: the lowest is nothing, the highest the most there
 * was. A run without a backup is a cross, one that was skipped a dot.
 */
export function sizeBars(runs: readonly FinishedRun[], unicode: boolean): string {
  const most = Math.max(...runs.map(({ source }) => source?.bytes ?? 0), 1);
  const levels = unicode ? blocks : plain;
  return runs
    .map((run) => {
      if (run.result === "skipped") return unicode ? "·" : ",";
      if (!hasBackup(run) || run.source === undefined) return unicode ? "×" : "x";
      return levels[Math.round((run.source.bytes / most) * (levels.length - 1))] ?? "";
    })
    .join("");
}

/** How long a run took; a clock that was set back meanwhile makes it nothing. */
export function secondsOf({ startedAt, finishedAt }: FinishedRun): number {
  return Math.max(Date.parse(finishedAt) - Date.parse(startedAt), 0) / 1000;
}
