import { refused } from "../errors.ts";
import type { Manifest } from "./manifest.ts";

const day = 86_400_000;

/**
 * Throws refused when the clock can't be believed: before the newest backup, or more than 30 days
 * after it. Times are what a backup is found by when it is needed.
 */
export function checkClock(now: Date, newest: Manifest | undefined): void {
  if (newest === undefined) return;
  const since = now.getTime() - Date.parse(newest.finished_at);
  const expected =
    since < 0
      ? `a time after the newest backup, ${newest.finished_at}`
      : since > 30 * day
        ? `at most 30 days since the newest backup, ${newest.finished_at}`
        : undefined;
  if (expected === undefined) return;
  throw refused(`clock: expected ${expected}, found ${now.toISOString()}`, {
    hint: "nothing was changed; set the clock right, or, if it is right, run it once with --allow-clock",
  });
}
