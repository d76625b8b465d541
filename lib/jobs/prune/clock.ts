import { refused } from "../../errors.ts";
import type { BackupRecord } from "../../state/record.ts";

const hour = 3_600_000;
const day = 24 * hour;

/** What is remembered of earlier runs' clocks; times are RFC 3339. */
export interface RunTimes {
  /** The newest run. */
  readonly last: string | undefined;
  /** A jump forward between two runs that nobody has said to be right. */
  readonly doubt: BackupRecord["clockDoubt"];
  /** When somebody last said that the clock was right. */
  readonly believed?: BackupRecord["clockBelieved"];
}

/** What a record remembers of them. */
export function timesOf(record: BackupRecord | undefined): RunTimes {
  return {
    last: record?.last?.finishedAt ?? record?.good?.finishedAt,
    doubt: record?.clockDoubt,
    believed: record?.clockBelieved,
  };
}

/** The same from the runs that dated directories hold something of, where the record is lost. */
export function timesOfRuns(runs: readonly { readonly startedAt: number }[]): RunTimes {
  const newest = runs.at(-1);
  const last = newest === undefined ? undefined : new Date(newest.startedAt).toISOString();
  return { last, doubt: undefined };
}

/**
 * The last time that is known to be right: of the newest run, or of a later moment of which somebody said so,
 * unless that is in the future. Then what was said was wrong.
 */
function lastKnown(now: Date, { last, believed }: RunTimes): string | undefined {
  if (believed === undefined || Date.parse(believed) > now.getTime()) return last;
  return last !== undefined && Date.parse(last) > Date.parse(believed) ? last : believed;
}

/**
 * The jump that a run at `now` is to remember: an older one stands until the clock is back before
 * where it led to, for a clock that stays wrong looks right from the second run on.
 */
export function doubtAt(now: Date, times: RunTimes): RunTimes["doubt"] {
  const { doubt } = times;
  if (doubt !== undefined && now.getTime() >= Date.parse(doubt.to)) return doubt;
  const from = doubt?.from ?? lastKnown(now, times);
  if (from === undefined || now.getTime() - Date.parse(from) <= 30 * day) return undefined;
  return { from, to: now.toISOString() };
}

/**
 * Throws refused when the clock by which ages would be counted can't be believed: more than an hour
 * away from the store's own, before the newest run, or more than 30 days after it; where the store has
 * none, also when it jumped so between earlier runs. A clock that is ahead makes every version look old.
 */
export function checkClock(now: Date, stores: Date | undefined, times: RunTimes): void {
  const problem = whatIsWrong(now, stores, times);
  if (problem !== undefined)
    throw refused(`clock: ${problem}`, {
      hint: "nothing was removed; set the clock right, or, if it is right, run rclone-prune once with --allow-clock",
    });
}

function whatIsWrong(now: Date, stores: Date | undefined, times: RunTimes): string | undefined {
  const { last, doubt } = times;
  if (stores !== undefined && Math.abs(now.getTime() - stores.getTime()) > hour)
    return `expected the time of the store, ${stores.toISOString()}, found ${now.toISOString()} on this machine`;
  if (last !== undefined) {
    const since = now.getTime() - Date.parse(last);
    if (since < 0) return `expected a time after the last run, ${last}, found ${now.toISOString()}`;
    if (now.getTime() - Date.parse(lastKnown(now, times) ?? last) > 30 * day)
      return `expected at most 30 days since the last run, ${last}, found ${Math.floor(since / day)} days`;
  }
  if (stores !== undefined || doubt === undefined) return undefined;
  return `expected at most 30 days between two runs, found one of ${doubt.from} and the next of ${doubt.to}`;
}
