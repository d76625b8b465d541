import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode, usage } from "../errors.ts";
import { isMountPoint } from "../guard/mountinfo.ts";
import { redactLocation, safeLocation } from "../rclone/location.ts";
import { overlap, type Place } from "../rclone/resolve.ts";
import { historyLocation, noBeside } from "../stores/dir/place.ts";
import { localPath, type Session } from "./session.ts";

/** Where old versions lie that the backup itself keeps. */
export interface HistoryPlace {
  /** As rclone is given it: nothing secret in it. */
  readonly location: string;
  /** Redacted. */
  readonly shown: string;
  readonly place: Place;
}

/** Stores whose first directory is a bucket: beside it would be another bucket. */
export const buckets: ReadonlySet<string> = new Set([
  "s3",
  "b2",
  "google cloud storage",
  "azureblob",
  "swift",
  "oracleobjectstorage",
  "qingstor",
  "internetarchive",
  "storj",
  "tardigrade",
]);

/**
 * The place of dated directories, where `[history] kind = dir` asks for them; undefined otherwise.
 * Throws a usage failure where the destination is a root and so has nothing beside it, where the
 * place set is on another remote or file system, or where it overlaps the destination.
 */
export async function historyOf(session: Session): Promise<HistoryPlace | undefined> {
  const { backup, destinationPlace, world } = session;
  const { kind, dir } = backup.history;
  if (kind !== "dir") return undefined;
  const text = historyLocation(backup.destination, dir, world.cwd);
  const place = session.resolve(text);
  const store = destinationPlace.store.replace(/:.*$/s, "");
  const isBucket = buckets.has(store) && destinationPlace.segments.length < 2;
  const local = localPath(destinationPlace);
  if (dir === undefined) {
    if (isBucket || (local !== undefined && (await isMountPoint(local))))
      throw noBeside(backup.destination);
  } else if (local !== undefined) await requireSameDisk(local, `/${place.segments.join("/")}`);
  if (overlap(place, destinationPlace) !== "none")
    throw usage(
      `history.dir: expected a place outside the destination, found one that lies in or around it: ${redactLocation(text)}`,
      { hint: `without dir in [history], old versions lie beside the destination` },
    );
  refuseRenames(session.tuning.flags);
  const { argument } = safeLocation(text, "backup_destination");
  return { location: argument, shown: redactLocation(text), place };
}

/** Files are renamed into the directory of old versions, which only works within one file system. */
async function requireSameDisk(destination: string, history: string): Promise<void> {
  if ((await deviceOf(destination)) === (await deviceOf(history))) return;
  throw usage(
    `history.dir: expected a directory on the file system of the destination, ${destination}, found another file system at ${history}`,
    { hint: "each replaced file would be copied and not moved" },
  );
}

/** The device of a directory, or of the one above that it will be made in. */
async function deviceOf(path: string): Promise<number> {
  try {
    return (await stat(path)).dev;
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || path === "/") throw error;
    return deviceOf(dirname(path));
  }
}

function refuseRenames(flags: readonly string[]): void {
  const flag = flags.find((one) => /^--track-renames(?:=|-|$)/.test(one));
  if (flag === undefined || flag === "--track-renames=false") return;
  throw usage(
    "rclone.flags: expected no --track-renames with [history] kind = dir, found it: a renamed file leaves no old version at its old name",
  );
}
