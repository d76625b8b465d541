import { failed, systemCode } from "../errors.ts";
import type { Count } from "../units/count.ts";
import { formatEntry, parseEntry, type Entry } from "./entry.ts";
import { DamagedManifest, readGzipLines, writeGzipLines } from "./gziplines.ts";
import type { Pages } from "./pages.ts";

export { DamagedManifest } from "./gziplines.ts";

/**
 * The manifest says what the destination holds: gzip of a first line `#rclone-backups manifest 1`,
 * a line `#{…}` of JSON (ManifestHeader), one line per file sorted by its bytes (see entry.ts), and
 * a last line `#end {"files":N,"bytes":N}`, so that a cut file is never taken for a short one.
 */
export interface ManifestHeader {
  /** Digest of the settings that say what belongs in the destination. */
  readonly binding: string;
  /** Redacted, for a reader. */
  readonly source: string;
  readonly destination: string;
  readonly run: string;
  /** When the run that wrote it began its listing; a file modified since is in doubt. */
  readonly listedAt: string;
}

const magic = "#rclone-backups manifest 1";

/** Writes the manifest: a temporary name, synced, renamed. Returns what it holds. */
export async function writeManifest(
  file: string,
  header: ManifestHeader,
  entries: Pages<Entry>,
): Promise<Count> {
  const totals = { files: 0, bytes: 0 };
  async function* lines(): Pages<string> {
    for await (const page of entries) {
      for (const { size } of page) {
        totals.files += 1;
        totals.bytes += Math.max(size, 0);
      }
      yield page.map(formatEntry);
    }
  }
  await writeGzipLines(file, magic, header, lines(), () => totals);
  return totals;
}

/**
 * Reads a manifest page by page; `onHeader` is called before the first page.
 * Throws DamagedManifest when it is cut or not one, at the latest when its end is reached, so a
 * caller must read to the end before it acts on what it read.
 */
export async function* readManifest(
  file: string,
  onHeader?: (header: ManifestHeader) => void,
): Pages<Entry> {
  const seen = { files: 0, bytes: 0 };
  const pages = readGzipLines(
    file,
    magic,
    (header) => onHeader?.(checkHeader(file, header)),
    () => seen,
  );
  for await (const page of pages)
    yield page.map(({ text, number }) => entryOf(file, number, text, seen));
}

function checkHeader(file: string, value: unknown): ManifestHeader {
  if (!isHeader(value))
    throw new DamagedManifest(`${file}:2: expected a manifest's header, found other JSON`);
  return value;
}

function isHeader(value: unknown): value is ManifestHeader {
  if (typeof value !== "object" || value === null) return false;
  const fields: Record<string, unknown> = { ...value };
  return ["binding", "source", "destination", "run", "listedAt"].every(
    (key) => typeof fields[key] === "string",
  );
}

function entryOf(
  file: string,
  line: number,
  text: string,
  seen: { files: number; bytes: number },
): Entry {
  const entry = parseEntry(text);
  if (entry === undefined)
    throw new DamagedManifest(
      `${file}:${line}: expected path, size and time, found something else`,
    );
  seen.files += 1;
  seen.bytes += Math.max(entry.size, 0);
  return entry;
}

/** The header alone; undefined when there is no manifest. Throws DamagedManifest. */
export async function readManifestHeader(file: string): Promise<ManifestHeader | undefined> {
  let header: ManifestHeader | undefined;
  try {
    for await (const _ of readManifest(file, (found) => (header = found))) break;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  if (header === undefined) throw failed(`${file}: expected a header, found none`);
  return header;
}
