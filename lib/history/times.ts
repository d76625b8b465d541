import { formatFiles } from "../units/format.ts";
import { at } from "./at.ts";
import type { FileHistory } from "./history.ts";

/** What a store's times are worth for the question what was there at a moment. */
export interface TimesSeen {
  /** Versions that were superseded after the moment. */
  superseded: number;
  /** Of these, versions that seem to have come at the very moment at which they were replaced. */
  momentary: number;
  /** Files of which what was there then came before the history began. */
  early: number;
  /** The first time that the store tells of anything, milliseconds since 1970. */
  began: number;
}

export function noTimes(): TimesSeen {
  return { superseded: 0, momentary: 0, early: 0, began: Infinity };
}

/** Counts the times of one file, as far as they matter for the moment `time`. */
export function seeTimes(times: TimesSeen, file: FileHistory, time: number): void {
  for (const { from, until, end, stored } of file.versions) {
    for (const moment of [from, until])
      if (moment !== undefined && moment > 0 && moment < times.began) times.began = moment;
    if (end !== "superseded" || until === undefined || until <= time) continue;
    times.superseded += 1;
    // One that a run stored and replaced within itself is told as uncertain.
    if (from === until && stored.uncertain !== true) times.momentary += 1;
  }
  if (at(file, time)?.from === 0) times.early += 1;
}

/**
 * Whether the store stamps old versions with the time at which they were replaced: then nobody can say
 * when they came.
 */
export function timesAreLost({ superseded, momentary }: TimesSeen): boolean {
  return momentary > 0 && momentary * 2 >= superseded;
}

/** What to tell of a moment before the history began; undefined where it doesn't matter. */
export function earlyText({ early, began }: TimesSeen, time: number): string | undefined {
  if (early === 0 || time >= began) return undefined;
  const first = began === Infinity ? "" : `, ${new Date(began).toISOString()}`;
  return `${formatFiles(early)} ${early === 1 ? "is" : "are"} taken as the first run found ${early === 1 ? "it" : "them"}${first}: the history doesn't reach back to that time`;
}
