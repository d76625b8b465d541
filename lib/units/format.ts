import prettyBytes from "pretty-bytes";

/** Bytes for a reader, in units of 1024: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** A number of files for a reader: `1 file`, `2 files`. */
export function formatFiles(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

/** A number of versions for a reader: `1 version`, `2 versions`. */
export function formatVersions(count: number): string {
  return count === 1 ? "1 version" : `${count} versions`;
}

/** A span of time for a reader, in the unit that fits: `45 s`, `12 min`, `30 h`, `12 d`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 100) return `${whole} s`;
  if (whole < 100 * 60) return `${Math.round(whole / 60)} min`;
  return whole < 48 * 3600 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86_400)} d`;
}
