import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { failed, systemCode } from "../../errors.ts";
import { liveHolders, type Holder } from "../../state/holders.ts";
import { readPaused } from "../../state/paused.ts";
import { parseRecord, type BackupRecord } from "../../state/record.ts";
import { readRuns, type FinishedRun } from "../../state/runs.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { readCoverage, type Coverage } from "../../verify/coverage.ts";
import { readMendList } from "../mendlist.ts";

/** What is kept of one backup, as far as a status needs it. */
export interface KeptState {
  readonly directory: string;
  /** The directory's name without the digits of the place. */
  readonly name: string;
  readonly record: BackupRecord | undefined;
  /** Files of it that can't be understood. */
  readonly damaged: readonly string[];
}

/** What is read only of states that belong to a backup. */
export interface KeptDetails {
  readonly runs: readonly FinishedRun[];
  readonly differences: readonly RawPath[];
  readonly paused:
    | { readonly since: string; readonly asOf: string; readonly complete: boolean }
    | "damaged"
    | undefined;
  /** A live process that has the backup's lock. */
  readonly holder: Holder | undefined;
  readonly coverage: Coverage | undefined;
}

/**
 * The states of all backups below the root of state, which need not be there. It reads synchronously, which
 * is several times as fast with hundreds of small files. Throws failed where it may not be read.
 */
export function keptStates(root: string): readonly KeptState[] {
  const parent = join(root, "backups");
  const entries = namesIn(parent).toSorted();
  return entries.map((entry) => {
    const directory = join(parent, entry);
    const file = join(directory, "state.json");
    const text = readIfThere(file);
    const record = text === undefined ? undefined : parseRecord(text);
    const damaged = text !== undefined && record === undefined ? [file] : [];
    return { directory, name: entry.replace(/-[0-9a-f]{16}$/, ""), record, damaged };
  });
}

/** The lock files below a root of state. */
export interface Locks {
  readonly directory: string;
  /** Undefined where they may not be listed. */
  readonly names: ReadonlySet<string> | undefined;
}

/** The locks of all backups, which need not be there, and which not everybody may look at. */
export function keptLocks(root: string): Locks {
  const directory = join(root, "locks");
  try {
    return { directory, names: new Set(namesIn(directory)) };
  } catch {
    return { directory, names: undefined };
  }
}

/** The rest of a state, with its newest runs. Throws failed where it may not be read. */
export async function keptDetails(
  { directory }: KeptState,
  locks: Locks,
  count: number,
): Promise<KeptDetails> {
  const at = (name: string): string => join(directory, name);
  const lock = `${directory.slice(-16)}.lock`;
  // One look at what is there costs less than errors that files aren't.
  const there = new Set(namesIn(directory));
  return {
    runs: readRuns(at("runs.ndjson"), count),
    differences: there.has("mend.list") ? await readMendList({ mend: at("mend.list") }) : [],
    paused: there.has("paused.json") ? await pausedOrDamaged(at("paused.json")) : undefined,
    holder:
      locks.names?.has(lock) === false
        ? undefined
        : liveHolders(join(locks.directory, lock)).at(-1),
    coverage: there.has("coverage.json") ? await readCoverage(at("coverage.json")) : undefined,
  };
}

async function pausedOrDamaged(file: string): Promise<KeptDetails["paused"]> {
  try {
    return await readPaused(file);
  } catch (error) {
    // What can't be understood pauses the backup too.
    if (systemCode(error) === undefined) return "damaged";
    throw unreadable(file, error);
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
    throw unreadable(directory, error);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw unreadable(file, error);
  }
}

function unreadable(place: string, cause: unknown): Error {
  return failed(
    `state: expected to read ${place}, found that it can't be (${systemCode(cause) ?? "unknown error"})`,
    { hint: "run it as the user whose backups these are, or set RCLONE_BACKUPS_STATE", cause },
  );
}
