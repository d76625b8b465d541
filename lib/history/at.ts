import type { FileHistory, FileVersion } from "./history.ts";

/**
 * What the path held at a time (milliseconds since 1970): present from the very moment it was
 * stored, absent from the very moment it was superseded or deleted.
 *
 * A version whose store can tell no better than the run that stored it (`stored.uncertain`) counts
 * from `storedAt`, like every other. So a time inside that run may show the state before or after
 * it; whoever restores says so.
 */
export function at({ versions }: FileHistory, time: number): FileVersion | undefined {
  return versions.find(({ from, until }) => from <= time && (until === undefined || time < until));
}

/**
 * The version that may have been there at a time though `at` has none: it was stored by then, and
 * the store can't be believed about when it was deleted.
 */
export function perhapsAt(history: FileHistory, time: number): FileVersion | undefined {
  if (at(history, time) !== undefined) return undefined;
  const newest = history.versions.find(({ from }) => from <= time);
  return newest?.doubtful === true ? newest : undefined;
}

/** Whether what at() has for a time had ended by then: nothing that came between is stored any more. */
export function isOutdated({ ended }: FileVersion, time: number): boolean {
  return ended !== undefined && ended <= time;
}
