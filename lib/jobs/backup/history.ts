import { refused } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { readManifestHeader } from "../../manifest/manifest.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import { textFromRaw } from "../../units/rawpath.ts";
import { parseRunId, runId } from "../../units/runid.ts";
import type { DirContext } from "../../stores/dir/context.ts";
import { mendCutRuns } from "../../stores/dir/mendrun.ts";
import type { PutBack } from "../../stores/dir/putback.ts";
import { cutRuns, lastNumber, listRuns, type HistoryRun } from "../../stores/dir/runs.ts";
import type { HistoryPlace } from "../history.ts";
import { lastKnown } from "./comparing.ts";
import { listContext, warn, type Run, type RunHistory } from "./run.ts";
import type { Survey } from "./survey.ts";

/** Of a run that has not looked there yet. */
export function openHistory(place: HistoryPlace): RunHistory {
  return { ...place, runs: [], surprising: false, setAside: "move", intent: false };
}

/** What the steps about dated directories need; `history` is the run's own. */
export function dirContext(run: Run, history: RunHistory): DirContext {
  const { destination } = run.session;
  return { ...listContext(run), destination, history: history.location };
}

/**
 * Looks which runs have left anything in the directory of old versions, and gives this run a number
 * greater than theirs: the record may be lost or older than they are. Throws refused when the clock
 * stands before the newest of them, for then nobody could say later what was when.
 */
export async function lookAtHistory(run: Run): Promise<void> {
  const { history, session, startedAt } = run;
  if (history === undefined) return;
  const { rclone, tuning, world } = session;
  history.runs = await listRuns(rclone, history.location, tuning, world.signal);
  const newest = lastNumber(history.runs);
  history.surprising = newest > (run.record?.lastNumber ?? 0);
  if (newest >= run.number) {
    run.number = newest + 1;
    run.id = runId(run.number, startedAt);
    run.kept = { ...run.kept, lastNumber: run.number };
  }
  // Newest by number: those before it may have a wrong clock that was allowed since. One without changes left nothing there.
  const kept = history.runs.at(-1);
  const good = parseRunId(run.record?.good?.run ?? "");
  const last = good !== undefined && good.number > newest ? good : kept;
  const ran = last?.startedAt ?? 0;
  if (startedAt.getTime() >= ran || run.options.allowClock === true) return;
  throw refused(
    `clock: expected a time after the newest run in ${history.shown}, ${new Date(ran).toISOString()}, found ${startedAt.toISOString()}`,
    {
      hint: "nothing at the destination was changed; set the clock right, or, if it is right and that run's was wrong, run once with --allow-clock",
    },
  );
}

/**
 * Puts back what a run that was cut off had moved away without a new version in its place. Before the
 * guards: if they refuse, no name that held a file must stay empty. Returns how many files.
 */
export async function mendHistory(run: Run): Promise<number> {
  const { history } = run;
  if (history === undefined || run.options.dryRun || cutRuns(history.runs).length === 0) return 0;
  let count = 0;
  const held = await heldBefore(run, history.runs);
  for (const { run: cut, ...put } of await mendCutRuns(
    dirContext(run, history),
    history.runs,
    held,
  )) {
    history.surprising = true;
    count += put.count;
    if (put.count > 0)
      warn(
        run,
        `run ${cut.id} was cut off: ${putBackText(put)}; when exactly its other files changed is uncertain`,
      );
  }
  return count;
}

/**
 * What the destination held before the run that was cut off, where the manifest says so for sure: one of a good run that
 * no other followed. A state that came back from an image may be older than what lies beside the destination.
 */
async function heldBefore(
  run: Run,
  runs: readonly HistoryRun[],
): Promise<(() => Pages<Entry>) | undefined> {
  const [cut, ...others] = cutRuns(runs).filter(({ intent }) => intent);
  if (run.record?.trusted !== true || cut === undefined || others.length > 0) return undefined;
  const header = await readManifestHeader(run.files.manifest).catch(() => undefined);
  const told = parseRunId(header?.run ?? "")?.number ?? -1;
  if (told < 0 || runs.some(({ number }) => number > told && number < cut.number)) return undefined;
  const held = await lastKnown(run);
  return held === noPages ? undefined : held;
}

/** Tells what was moved back. */
export function putBackText({ count, sample }: PutBack): string {
  const names = sample.map(textFromRaw).join(", ");
  return `${count} ${count === 1 ? "file that it had" : "files that it had"} moved to the old versions, with nothing new in ${count === 1 ? "its" : "their"} place, ${count === 1 ? "was" : "were"} moved back: ${names}${count > sample.length ? ", …" : ""}`;
}

/** How many deletions rclone has to be allowed: where it can't move, it counts what it replaces too. */
export function deletionsFor(run: Run, { planned }: Survey, deletes: number): number {
  const replaced = run.history?.setAside === "copy and delete" ? planned.plan.changes.files : 0;
  return deletes + replaced;
}
