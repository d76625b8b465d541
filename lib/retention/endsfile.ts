import { createReadStream } from "node:fs";
import { systemCode } from "../errors.ts";
import { DamagedManifest, readGzipLines, writeGzipLines } from "../manifest/gziplines.ts";
import { noPages, type Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import { fieldFromName, nameFromField } from "../units/field.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";

/**
 * Remembers when versions ended that no longer have their successor in the store: gzip of a first line
 * `#rclone-backups ends 1`, a line `#{…}` of JSON, one line per version `stored name TAB id TAB
 * milliseconds since 1970`, sorted by the bytes of the name, and a last line `#end {"versions":N}`.
 */
export interface RememberedEnd {
  /** The stored name as the store sorts it: the `order` of a history. */
  readonly name: RawPath;
  readonly id: string;
  readonly end: number;
}

/** For a reader of the file. */
export interface EndsHeader {
  readonly destination: string;
  readonly prunedAt: string;
}

const magic = "#rclone-backups ends 1";

/** The line of a version. Names may hold any bytes, as S3 keeps them, and ids anything. */
export function formatEnd(name: RawPath, id: string, end: number): string {
  return `${fieldFromName(name)}\t${encodeURIComponent(id)}\t${end}`;
}

/**
 * The remembered ends, sorted by name. Where there is no file there are none. A damaged one is read
 * to where the damage is before any of it counts, told to `onDamaged`, and as good as none.
 */
export async function openEnds(
  file: string,
  onDamaged: (error: unknown) => void,
): Promise<Pages<RememberedEnd>> {
  try {
    let last = rawFromBytes("");
    for await (const page of readEnds(file))
      for (const { name } of page) {
        if (name < last) throw new DamagedManifest(`${file}: expected sorted names, found others`);
        last = name;
      }
  } catch (error) {
    if (systemCode(error) !== "ENOENT") onDamaged(error);
    return noPages();
  }
  return readEnds(file);
}

async function* readEnds(file: string): Pages<RememberedEnd> {
  const seen = { versions: 0 };
  const pages = readGzipLines(
    file,
    magic,
    () => {},
    () => seen,
  );
  for await (const page of pages) {
    seen.versions += page.length;
    yield page.map(({ text, number }) => {
      const end = parseEnd(text);
      if (end !== undefined) return end;
      throw new DamagedManifest(
        `${file}:${number}: expected name, id and time, found something else`,
      );
    });
  }
}

function parseEnd(line: string): RememberedEnd | undefined {
  const first = line.indexOf("\t");
  const second = line.indexOf("\t", first + 1);
  if (first <= 0 || second < 0) return undefined;
  const end = Number(line.slice(second + 1));
  const id = decoded(line.slice(first + 1, second));
  if (!Number.isFinite(end) || id === undefined) return undefined;
  return { name: nameFromField(line.slice(0, first)), id, end };
}

function decoded(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Writes the file anew from a spool of `versions` lines of formatEnd, sorted by name: a temporary
 * name, synced, renamed. Throws failed().
 */
export async function writeEnds(
  file: string,
  header: EndsHeader,
  spool: string,
  versions: number,
): Promise<void> {
  const lines = linePages(createReadStream(spool));
  await writeGzipLines(file, magic, header, lines, () => ({ versions }));
}
