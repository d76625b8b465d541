import type { FileVersion } from "../history/history.ts";

/** When versions of one file truly ended, by their ids; milliseconds since 1970. */
export type Ends = ReadonlyMap<string, number>;

/**
 * When a version was superseded or deleted: as the store knows of itself or as it is remembered, else as
 * the upload of the next one that is still stored tells. Undefined for the current version.
 */
export function endOf(
  { stored, from, until }: FileVersion,
  remembered: Ends | undefined,
): number | undefined {
  if (until === undefined) return undefined;
  const known = stored.endedAt ?? remembered?.get(stored.id);
  // Removals only make an end look later. An id that came again, as S3's `null` may, is another version.
  return known !== undefined && known >= from && known <= until ? known : until;
}
