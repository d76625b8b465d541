/**
 * Of rclone's lib/version: `-v2006-01-02-150405-000` before the extension, which is all from the last
 * dot on, or at the end of a name that has no dot but maybe as its first character.
 */
const pattern = /-v(\d{4})-(\d{2})-(\d{2})-(\d{2})(\d{2})(\d{2})-\d{3}(?=(?:\.[^.]*)?$)/;

/** A name in two parts: without its version mark, and the mark. */
interface MarkedName {
  readonly rest: string;
  readonly mark: string;
}

/**
 * Takes the mark of a version, which crypt leaves readable, out of the last segment of a path;
 * undefined where there is none. A mark of a time that never was is no mark.
 */
export function splitMark(segment: string): MarkedName | undefined {
  if (!segment.includes("-v")) return undefined;
  const found = pattern.exec(segment);
  if (found === null) return undefined;
  const [mark, ...fields] = found;
  const atEnd = found.index + mark.length === segment.length;
  if (atEnd && segment.lastIndexOf(".") > 0) return undefined;
  if (!isTime(fields.map(Number))) return undefined;
  return { rest: segment.slice(0, found.index) + segment.slice(found.index + mark.length), mark };
}

/** Puts a mark where rclone puts it: before the last dot, unless the name begins with that one. */
export function addMark(rest: string, mark: string): string {
  const dot = rest.lastIndexOf(".");
  return dot <= 0 ? rest + mark : rest.slice(0, dot) + mark + rest.slice(dot);
}

function isTime(fields: readonly number[]): boolean {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}
