import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { DamagedManifest, readGzipLines, writeGzipLines, type Line } from "./gziplines.ts";
import type { Pages } from "./pages.ts";

/**
 * What one run was about to do to the files of the destination (`intent`), or did (`outcome`): gzip
 * of `#rclone-backups intent 1` or `#rclone-backups outcome 1`, a line `#{…}` of JSON
 * (RunManifestHeader), one line per file sorted by its bytes, and `#end {"files":N}`.
 */
export type RunManifestKind = "intent" | "outcome";

export interface RunManifestHeader {
  readonly run: string;
  /** RFC 3339 in UTC. */
  readonly startedAt: string;
  /** An outcome that has every file which the destination held after the run. */
  readonly full: boolean;
  /** An outcome that a later run put together: nobody saw the end of this one. */
  readonly uncertain: boolean;
}

export const runKinds = ["add", "change", "copy", "delete", "touch", "held", "back"] as const;

export interface RunLine {
  readonly path: RawPath;
  /**
   * `add` and `change`: new content, what was there lies in the run's directory after a change.
   * `copy`: either of them, in an intent where nobody knew what the destination held.
   * `delete`: it lies there and nothing came in its place. `touch`: a new time for the same content.
   * `held`: it was there and stayed. `back`: its deletion was undone, as if it had never been.
   */
  readonly kind: (typeof runKinds)[number];
  /** Bytes, of what is deleted too; -1 where nobody knows. */
  readonly size: number;
  /** Modification time, RFC 3339 in UTC; empty where nobody knows. */
  readonly time: string;
  /** Size and time may not be what is stored. */
  readonly uncertain?: boolean;
}

/** Writes a run's manifest to a local file. Returns the number of lines. */
export async function writeRunManifest(
  file: string,
  kind: RunManifestKind,
  header: RunManifestHeader,
  pages: Pages<RunLine>,
): Promise<number> {
  const totals = { files: 0 };
  async function* lines(): Pages<string> {
    for await (const page of pages) {
      totals.files += page.length;
      yield page.map(formatLine);
    }
  }
  await writeGzipLines(file, magicOf(kind), header, lines(), () => totals);
  return totals.files;
}

/**
 * Reads a run's manifest page by page; `onHeader` is called before the first page.
 * Throws DamagedManifest when it is cut or not one, at the latest at its end.
 */
export async function* readRunManifest(
  file: string,
  kind: RunManifestKind,
  onHeader?: (header: RunManifestHeader) => void,
): Pages<RunLine> {
  const seen = { files: 0 };
  const pages = readGzipLines(
    file,
    magicOf(kind),
    (header) => {
      if (!isHeader(header))
        throw new DamagedManifest(`${file}:2: expected the header of a run, found other JSON`);
      onHeader?.(header);
    },
    () => seen,
  );
  for await (const page of pages) {
    seen.files += page.length;
    yield page.map((line) => parseLine(file, line));
  }
}

function magicOf(kind: RunManifestKind): string {
  return `#rclone-backups ${kind} 1`;
}

function formatLine({ path, kind, size, time, uncertain }: RunLine): string {
  return `${path}\t${kind}\t${size}\t${time}${uncertain === true ? "\t?" : ""}`;
}

function parseLine(file: string, { text, number }: Line): RunLine {
  const [path = "", word, sizeText, time = "", mark] = text.split("\t");
  const kind = runKinds.find((known) => known === word);
  const size = Number(sizeText);
  if (path === "" || kind === undefined || !Number.isSafeInteger(size))
    throw new DamagedManifest(
      `${file}:${number}: expected path, kind, size and time, found something else`,
    );
  const line = { path: rawFromBytes(path), kind, size, time };
  return mark === "?" ? { ...line, uncertain: true } : line;
}

function isHeader(value: unknown): value is RunManifestHeader {
  if (typeof value !== "object" || value === null) return false;
  const fields: Record<string, unknown> = { ...value };
  return (
    typeof fields["run"] === "string" &&
    typeof fields["startedAt"] === "string" &&
    typeof fields["full"] === "boolean" &&
    typeof fields["uncertain"] === "boolean"
  );
}
