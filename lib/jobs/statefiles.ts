import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../errors.ts";
import { placeKey } from "../rclone/resolve.ts";
import { privateDirectory, stateRoot } from "../state/directory.ts";
import { realpathOfMissing } from "../state/realpath.ts";
import { rawFromSystem } from "../units/encoding.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Session } from "./session.ts";

/** The files of one backup under the state directory. */
export interface StateFiles {
  readonly directory: string;
  readonly record: string;
  readonly manifest: string;
  /** Paths that a verification found different, one a line; the next run uploads them again. */
  readonly mend: string;
  /** What a refused plan would have deleted and overwritten. */
  readonly refused: string;
  /** Files that failed in the last run, with the reason. */
  readonly failures: string;
  /** When versions were superseded whose successor a prune removed. */
  readonly ends: string;
  /** That the backup was rolled back and waits until somebody lets it run again. */
  readonly paused: string;
  /** What was read back when, a record a file. */
  readonly ledger: string;
  /** How far files that are larger than the budget were read back. */
  readonly parts: string;
  /** The ledger in sums, for a reader that has no time for it. */
  readonly coverage: string;
  /** One line a finished run. */
  readonly runs: string;
}

/** The root of all state: locks/ and backups/. */
export function rootOf(session: Session): string {
  const { env, isRoot } = session.world;
  return stateRoot(env, isRoot, env["HOME"] ?? "/");
}

/**
 * Where the state lies relative to the source, links resolved, as rclone lists it; undefined where
 * the source is remote or does not hold it. A source that is the state itself is backed up as it is.
 */
export function ownStateInSource(session: Session): RawPath | undefined {
  if (session.localSource === undefined) return undefined;
  const source = session.localSource === "/" ? "/" : `${session.localSource}/`;
  const root = realpathIfSeen(rootOf(session));
  if (!root.startsWith(source)) return undefined;
  return rawFromSystem(Buffer.from(root.slice(source.length)).toString("latin1"));
}

/** Listing a source needs no state, so a user who may not look there is not stopped by that. */
function realpathIfSeen(path: string): string {
  try {
    return realpathOfMissing(path);
  } catch (error) {
    if (systemCode(error) === "EACCES") return path;
    throw error;
  }
}

/** The lock of a destination: two names for one place share it. */
export async function lockFile(session: Session): Promise<string> {
  const directory = join(rootOf(session), "locks");
  await privateDirectory(rootOf(session));
  await privateDirectory(directory);
  return join(directory, `${placeKey(session.destinationPlace)}.lock`);
}

/**
 * The state of a backup, kept by where its destination really is, so that it outlives a new name
 * of the configuration file.
 */
export async function stateFiles(session: Session): Promise<StateFiles> {
  const parent = join(rootOf(session), "backups");
  await privateDirectory(rootOf(session));
  await privateDirectory(parent);
  const suffix = `-${placeKey(session.destinationPlace)}`;
  const known = (await readdir(parent)).find((name) => name.endsWith(suffix));
  const directory = join(
    parent,
    known ?? `${session.backup.name.replaceAll(/[^\w.-]/g, "_")}${suffix}`,
  );
  await privateDirectory(directory);
  return {
    directory,
    record: join(directory, "state.json"),
    manifest: join(directory, "manifest.gz"),
    mend: join(directory, "mend.list"),
    refused: join(directory, "refused.list"),
    failures: join(directory, "failures.list"),
    ends: join(directory, "ends.gz"),
    paused: join(directory, "paused.json"),
    ledger: join(directory, "ledger"),
    parts: join(directory, "parts.json"),
    coverage: join(directory, "coverage.json"),
    runs: join(directory, "runs.ndjson"),
  };
}

const scratchPrefix = "scratch-";

/** A private directory for this run's temporaries. The caller holds the lock and removes it. */
export async function makeScratch(files: StateFiles, exclusive: boolean): Promise<string> {
  if (exclusive) await removeStale(files);
  return mkdtemp(join(files.directory, scratchPrefix));
}

/** Killed runs leave their scratch behind; whoever holds the lock alone may clear it. */
async function removeStale(files: StateFiles): Promise<void> {
  const names = await readdir(files.directory);
  const stale = names.filter((name) => name.startsWith(scratchPrefix));
  await Promise.all(
    stale.map((name) => rm(join(files.directory, name), { recursive: true, force: true })),
  );
}
