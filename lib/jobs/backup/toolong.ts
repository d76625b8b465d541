import { createReadStream } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../errors.ts";
import { alwaysFits, storedLength, type NameEncryption } from "../../crypt/namelength.ts";
import { linePages } from "../../manifest/textpages.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { nameLimit } from "../../process/namelimit.ts";
import { LineSpool } from "../../process/spool.ts";
import { excludeRule } from "../../rclone/exact.ts";
import type { Listing } from "../../rclone/listing.ts";
import type { Place } from "../../rclone/resolve.ts";
import { rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import type { FileFailure } from "../result.ts";
import type { Run } from "./run.ts";

/**
 * Files whose encrypted names are longer than the destination can hold. rclone would learn that file
 * by file, in the middle of the upload, and then delete nothing in that run and in any later one. So
 * they are told before the upload and left out of it by exact rules; the rest, deletions too, goes
 * as always, and the run is called partial. Leaving out deletes what the destination holds, but it
 * can't hold these; a path that the manifest knows to be there is proof of the contrary and stays in.
 */
export interface TooLong {
  readonly count: number;
  /** The first of them. */
  readonly failures: readonly FileFailure[];
  /** Exclude them; they belong before all others. */
  readonly rules: readonly string[];
}

export interface Fitting {
  /** Without the files that are too long. */
  readonly listing: Listing;
  readonly tooLong: TooLong;
}

/** How long names can be at a destination. */
export interface NameLimit {
  readonly bytes: number;
  readonly names: NameEncryption;
  /** What is no longer than this fits whatever it is. */
  readonly fits: number;
}

/** A segment that does not fit, with all before it; for a directory this stands for all below it. */
interface Spot {
  readonly path: RawPath;
  readonly below: boolean;
  readonly bytes: number;
}

const none: TooLong = { count: 0, failures: [], rules: [] };

/** rclone tries every rule on every file; beyond so many of them it may find out by itself. */
const mostRules = 1000;
const keptFailures = 1000;

/** Takes the files out of a listing that the destination can't hold. */
export async function leaveOutTooLong(run: Run, listing: Listing): Promise<Fitting> {
  const limit = await nameLimitOf(run.session.destinationPlace, run.session.world.signal);
  if (limit === undefined) return { listing, tooLong: none };
  const found = await findSpots(listing.file, limit);
  if (found.size > 0) await dropHeld(found, run.files.manifest, limit);
  if (found.size === 0) return { listing, tooLong: none };
  const file = join(run.scratch, "listing.fitting");
  const spool = new LineSpool(file);
  const failures: FileFailure[] = [];
  let count = 0;
  for await (const lines of linePages(createReadStream(listing.file))) {
    for (const line of lines) {
      const path = pathOf(line);
      const spot = path.length > limit.fits ? spotOf(path, limit) : undefined;
      const known = spot === undefined ? undefined : found.get(keyOf(spot));
      if (known === undefined) {
        spool.write(line);
        continue;
      }
      count += 1;
      if (failures.length < keptFailures) failures.push({ path, reason: reasonOf(known, limit) });
    }
  }
  spool.close();
  const rules = [...found.values()].map(({ path, below }) => excludeRule(path, below));
  return { listing: { ...listing, file }, tooLong: { count, failures, rules } };
}

/** What limits names at a place: undefined where nothing does, or nobody here can tell. */
export async function nameLimitOf(
  place: Place,
  signal: AbortSignal,
): Promise<NameLimit | undefined> {
  const [names, another] = place.names;
  if (names === undefined || another !== undefined) return undefined;
  // Chunks, compressed files and the like get names of their own.
  const above = place.layers.slice(0, -1);
  if (!above.every((layer) => layer === "crypt" || layer === "alias" || layer === "combine"))
    return undefined;
  const bytes = await storeLimit(place, names, signal);
  return bytes === undefined ? undefined : { bytes, names, fits: alwaysFits(bytes, names) };
}

/** Servers behind sftp and the like keep 255 characters, which are bytes where names are ASCII. */
const remoteLimit = 255;
const likeSftp = new Set(["sftp", "ftp", "smb"]);

async function storeLimit(
  place: Place,
  names: NameEncryption,
  signal: AbortSignal,
): Promise<number | undefined> {
  const store = place.layers.at(-1) ?? "";
  if (store === "local") return nameLimit(`/${place.segments.join("/")}`, signal);
  const ascii = names.mode === "standard" && names.encoding !== "base32768";
  return likeSftp.has(store) && ascii && names.directories ? remoteLimit : undefined;
}

async function findSpots(file: string, limit: NameLimit): Promise<Map<string, Spot>> {
  const spots = new Map<string, Spot>();
  const { fits } = limit;
  for await (const lines of linePages(createReadStream(file, { highWaterMark: 256 * 1024 }))) {
    for (const line of lines) {
      // Size and time are in the line too, so most lines with short paths end here.
      if (line.length <= fits) continue;
      const path = pathOf(line);
      if (path.length <= fits) continue;
      const spot = spotOf(path, limit);
      if (spot !== undefined && spots.size < mostRules) spots.set(keyOf(spot), spot);
    }
  }
  return spots;
}

/** The first segment of a path that does not fit. */
function spotOf(path: RawPath, { bytes: limit, names }: NameLimit): Spot | undefined {
  for (let start = 0; start <= path.length;) {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    const bytes = end - start;
    if (storedLength(path.slice(start, end), slash < 0, names) > limit)
      return { path: rawFromBytes(path.slice(0, end)), below: slash >= 0, bytes };
    start = end + 1;
  }
  return undefined;
}

/** Whether a file or a directory at this path has a name that does not fit, or is in one that has. */
export function isTooLong(path: RawPath, limit: NameLimit): boolean {
  return path.length > limit.fits && spotOf(path, limit) !== undefined;
}

/** The destination does hold some of them: then its names may be longer than we think. */
async function dropHeld(
  found: Map<string, Spot>,
  manifest: string,
  limit: NameLimit,
): Promise<void> {
  try {
    for await (const page of readManifest(manifest)) {
      for (const { path } of page) {
        const spot = path.length > limit.fits ? spotOf(path, limit) : undefined;
        if (spot !== undefined) found.delete(keyOf(spot));
      }
    }
  } catch (error) {
    if (!(error instanceof DamagedManifest) && systemCode(error) !== "ENOENT") throw error;
  }
}

/** A path may be a file's and a directory's. */
function keyOf({ path, below }: Spot): string {
  return below ? `${path}/` : path;
}

function pathOf(line: string): RawPath {
  return rawFromBytes(line.slice(0, line.indexOf("\t")));
}

function reasonOf({ bytes, below }: Spot, limit: NameLimit): string {
  return `${below ? "the name of a directory on its path" : "its name"} has ${bytes} bytes, more than ${limit.bytes} when it is encrypted, which is all that the destination can hold (up to ${limit.fits} bytes always fit)`;
}

/** The warning that comes before the upload. */
export function tooLongText({ count, failures }: TooLong): string {
  const shown = 5;
  const lines = failures
    .slice(0, shown)
    .map(({ path, reason }) => `  ${textFromRaw(path)}: ${reason}`);
  if (count > shown) lines.push(`  … and ${count - shown} more`);
  return `${count} ${count === 1 ? "file is" : "files are"} left out of the backup, for the destination can't hold such long names:\n${lines.join("\n")}`;
}
