import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { failed, systemCode } from "../errors.ts";
import { DamagedManifest } from "../manifest/manifest.ts";
import { FileKeys, scanLines } from "./keys.ts";
import type { HashKey } from "./keyedhash.ts";

/** A sorted list of files on disk: a manifest, or the listing of a source. */
export interface FileList {
  readonly kind: "manifest" | "listing";
  readonly file: string;
}

const chunk = 256 * 1024;
const hash = 0x23;
/** The lines of a manifest that stand before the first file. */
const headLines = 2;

/**
 * Calls `onFile` for each file's line, with the file's place in the list. Returns the manifest's last
 * line; undefined where there is none. Throws DamagedManifest for one that is no whole gzip file.
 */
export async function eachFile(
  { kind, file }: FileList,
  onFile: (place: number, bytes: Uint8Array, start: number, end: number) => void,
): Promise<string | undefined> {
  const source = createReadStream(file, { highWaterMark: chunk });
  let place = kind === "manifest" ? -headLines : 0;
  let last: string | undefined;
  if (kind === "listing") {
    await scanLines(source, (bytes, start, end) => onFile(place++, bytes, start, end));
    return undefined;
  }
  const gunzip = createGunzip({ chunkSize: chunk });
  source.on("error", (error) => gunzip.destroy(error));
  try {
    await scanLines(source.pipe(gunzip), (bytes, start, end) => {
      if (place >= 0 && bytes[start] === hash) last = endOf(bytes, start, end) ?? last;
      if (place >= 0 && last === undefined) onFile(place, bytes, start, end);
      place += 1;
    });
  } catch (error) {
    if (systemCode(error)?.startsWith("E") === true || error instanceof DamagedManifest)
      throw error;
    throw new DamagedManifest(`${file}: expected a whole gzip file, found a damaged one`, {
      cause: error,
    });
  } finally {
    source.destroy();
  }
  return last;
}

/** A path may begin so too: the tab behind it tells it from the last line. */
function endOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = Buffer.from(bytes.subarray(start, end)).toString("latin1");
  return text.startsWith("#end {") && !text.includes("\t") ? text : undefined;
}

/**
 * The keys and sizes of all files of a list; room for `expected` is made at once.
 * Throws DamagedManifest for a manifest that is cut.
 */
export async function readKeys(
  list: FileList,
  hashKey: HashKey,
  expected: number,
): Promise<FileKeys> {
  const keys = new FileKeys(hashKey, expected);
  let wrong = 0;
  const last = await eachFile(list, (_, bytes, start, end) => {
    if (!keys.add(bytes, start, end)) wrong += 1;
  });
  if (list.kind === "listing") {
    if (wrong > 0)
      throw failed("listing: expected lines of path, size and time, found one that is not");
    return keys;
  }
  const totals = { files: keys.count, bytes: bytesOf(keys) };
  if (wrong > 0 || last !== `#end ${JSON.stringify(totals)}`)
    throw new DamagedManifest(
      `${list.file}: expected files and at the end their number, found ${last === undefined ? "it cut off" : "other totals"}`,
    );
  return keys;
}

function bytesOf({ sizes, count }: FileKeys): number {
  let sum = 0;
  for (let at = 0; at < count; at += 1) sum += Math.max(sizes[at] ?? 0, 0);
  return sum;
}
