import { failed } from "../../errors.ts";
import type { Tuning } from "../../rclone/argv.ts";
import { topArgs } from "../../rclone/files.ts";
import { runRclone, type Rclone } from "../../rclone/run.ts";
import { parseRunId, type RunId } from "../../units/runid.ts";

/** What the directory of old versions holds of one run. */
export interface HistoryRun extends RunId {
  /** Whether it set any file aside that is still there. */
  readonly directory: boolean;
  readonly intent: boolean;
  readonly outcome: boolean;
}

const intentEnding = ".intent.gz";
const outcomeEnding = ".outcome.gz";

/** The names of a run's manifests in the directory of old versions. */
export function manifestName(run: string, kind: "intent" | "outcome"): string {
  return `${run}${kind === "intent" ? intentEnding : outcomeEnding}`;
}

/** rclone's exit code when the directory itself does not exist. */
const notFound = 3;

/**
 * The runs of which the directory of old versions holds anything, by number; none where it does not
 * exist. Throws when it can't be listed: a listing that failed is not an empty one.
 */
export async function listRuns(
  rclone: Rclone,
  location: string,
  tuning: Tuning,
  signal?: AbortSignal,
): Promise<readonly HistoryRun[]> {
  const names: string[] = [];
  const { code, lastError } = await runRclone(rclone, {
    args: topArgs(location, tuning),
    signal,
    onLine: (name) => {
      if (runName.test(name)) names.push(name);
    },
  });
  if (code !== 0 && (code !== notFound || names.length > 0))
    throw failed(
      `history: expected a listing of the old versions, found rclone exit code ${code}: ${lastError ?? "no message"}`,
    );
  return runsOf(names);
}

const runName = /^([^./]+)(\/|\.intent\.gz|\.outcome\.gz)$/;

/** The runs that the names in the directory of old versions tell of, by number; directories end in a slash. */
export function runsOf(names: Iterable<string>): readonly HistoryRun[] {
  const runs = new Map<string, HistoryRun>();
  for (const name of names) {
    const [, id = "", end] = runName.exec(name) ?? [];
    const run = parseRunId(id);
    if (run === undefined) continue;
    const known = runs.get(id) ?? { ...run, directory: false, intent: false, outcome: false };
    runs.set(id, {
      ...known,
      directory: known.directory || end === "/",
      intent: known.intent || end === intentEnding,
      outcome: known.outcome || end === outcomeEnding,
    });
  }
  return [...runs.values()].toSorted((a, b) => a.number - b.number || (a.id < b.id ? -1 : 1));
}

/**
 * The runs that were cut off: with an intent and no outcome, and the newest where it has left nothing
 * but files. An older one of that kind has lost its manifests: another run closed it, if it was cut off.
 */
export function cutRuns(runs: readonly HistoryRun[]): readonly HistoryRun[] {
  const newest = runs.at(-1);
  return runs.filter((run) => !run.outcome && (run.intent || (run.directory && run === newest)));
}

/** The greatest number that a run has had there; 0 where there is none. */
export function lastNumber(runs: readonly HistoryRun[]): number {
  return runs.at(-1)?.number ?? 0;
}
