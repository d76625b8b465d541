import prettyBytes from "pretty-bytes";

/** Bytes for a reader, in units of 1024: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** A number of files for a reader: `1 file`, `2 files`. */
export function formatFiles(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}
