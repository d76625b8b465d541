import { rawFromBytes, type RawPath } from "../units/rawpath.ts";

/** One file: of a listing of the source, or as the destination holds it. */
export interface Entry {
  readonly path: RawPath;
  /** Bytes; -1 where the backend can't tell. */
  readonly size: number;
  /** Modification time, RFC 3339 in UTC, as fine as the listing told it. */
  readonly time: string;
  /** Set when the file changed while it was copied, so that size and time may not be what is stored. */
  readonly uncertain?: boolean;
}

/** The line of an entry: `path TAB size TAB time [TAB ?]`. Paths hold no control characters. */
export function formatEntry(entry: Entry): string {
  return `${entry.path}\t${entry.size}\t${entry.time}${entry.uncertain === true ? "\t?" : ""}`;
}

/** Reads a line of formatEntry or of `rclone lsf --format pst`; undefined when it is none. */
export function parseEntry(line: string): Entry | undefined {
  const first = line.indexOf("\t");
  const second = line.indexOf("\t", first + 1);
  if (first <= 0 || second < 0) return undefined;
  const third = line.indexOf("\t", second + 1);
  const size = Number(line.slice(first + 1, second));
  if (!Number.isSafeInteger(size)) return undefined;
  const path = rawFromBytes(line.slice(0, first));
  const time = utcTime(line.slice(second + 1, third < 0 ? undefined : third));
  return third < 0 ? { path, size, time } : { path, size, time, uncertain: true };
}

/** rclone before 1.66 lists `2006-01-02 15:04:05`, by the TZ=UTC it was given. */
function utcTime(text: string): string {
  return text[10] === " " ? `${text.slice(0, 10)}T${text.slice(11)}Z` : text;
}

/**
 * Whether two times are equal as far as both are known: one listed in whole seconds equals any
 * time within that second.
 */
function sameTime(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.length !== wholeSeconds && b.length !== wholeSeconds) return false;
  return a.slice(0, wholeSeconds - 1) === b.slice(0, wholeSeconds - 1);
}

/** Length of `2006-01-02T15:04:05Z`. */
const wholeSeconds = 20;

/** Whether a file has the size and time it had, with nothing uncertain about either. */
export function unchanged(before: Entry, now: Entry): boolean {
  return (
    before.size === now.size &&
    before.uncertain !== true &&
    now.uncertain !== true &&
    sameTime(before.time, now.time)
  );
}
