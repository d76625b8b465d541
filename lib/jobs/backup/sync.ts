import { join } from "node:path";
import { readListing } from "../../manifest/listingfile.ts";
import type { Obstacle } from "../../manifest/obstacles.ts";
import type { FileEvent } from "../../manifest/outcome.ts";
import type { Pages } from "../../manifest/pages.ts";
import { againArgs, syncArgs } from "../../rclone/argv.ts";
import type { Listing } from "../../rclone/listing.ts";
import type { LogRecord, Stats } from "../../rclone/log.ts";
import { runRclone } from "../../rclone/run.ts";
import { below } from "../../stores/dir/context.ts";
import { asGoWrites, rawFromText } from "../../units/rawpath.ts";
import type { FileFailure } from "../result.ts";
import { inAttempts } from "./attempts.ts";
import { clearEmpty, clearTheWay } from "./clearway.ts";
import { countEvents, EventSpool, readEvents, type Told } from "./events.ts";
import { factsOf } from "./facts.ts";
import { isMisspelled, spell, type Misspelled } from "./misspelled.ts";
import type { Planned } from "./planning.ts";
import type { Run } from "./run.ts";
import { progressOf } from "../statistics.ts";

/** How a sync ended and what it told about each file. */
export interface SyncOutcome {
  readonly code: number;
  /** How often rclone was called for it; where it tries again by itself, once. */
  readonly attempts: number;
  /** rclone found more to delete than it was allowed to, and stopped. */
  readonly atLimit: boolean;
  readonly lastError: string | undefined;
  readonly stats: Stats | undefined;
  /** The first failures, each path once, and how many there were. */
  readonly failures: readonly FileFailure[];
  readonly failureCount: number;
  /** rclone met unreadable files and so deleted nothing. */
  readonly deletesSuppressed: boolean;
  readonly copied: { readonly files: number; readonly bytes: number };
  readonly deleted: number;
  /** How many files anything was told about. */
  readonly eventCount: number;
  readonly events: () => Pages<FileEvent>;
  /** rclone was to compare checksums, found none in common, and compared sizes alone. */
  readonly bySize: boolean;
  /** Files and directories of the source that rclone said it ignores, by its spelling. */
  readonly leftOut: readonly string[];
}

/** What one call of rclone is to bring to the destination. */
export type SyncWork =
  | {
      readonly filterFile: string;
      /** The most deletions, those out of the way included. */
      readonly maxDelete: number;
      /** What is deleted before all else: see Planned. */
      readonly inTheWay: () => Pages<Obstacle>;
    }
  /** Exactly the files of a list, whatever the destination seems to hold. */
  | { readonly filesFrom: string };

/** Failures kept in memory; the rest are counted. */
const keptFailures = 1000;

/** rclone's exit code for this and for any other fatal error. */
const fatal = 7;
const limitReached = "--max-delete threshold reached";

/** rclone's notices about a file or a directory of the source, which it does not copy then. */
const leavesOut = /^Duplicate (?:object|directory) found in source - ignoring/;

const fileRenamed = /^Renamed from "(.*)"$/;

/**
 * Runs the sync, spooling what rclone tells about each file: memory does not grow with their number.
 * `name` tells the syncs of one run apart, whose spools are read together. `planned` says what the destination held.
 */
export async function sync(
  run: Run,
  name: "first" | "recounted" | "again",
  work: SyncWork,
  listing: Listing,
  planned: Pick<Planned, "held" | "heldAlike">,
): Promise<SyncOutcome> {
  const { session, scratch } = run;
  const spool = new EventSpool(join(scratch, `events-${name}`));
  const failures = new Map<string, string>();
  const lossy: Misspelled[] = [];
  let stats: Stats | undefined;
  let suppressed = false;
  let limited = false;
  let bySize = false;
  const leftOut: string[] = [];
  let bytes = 0;
  /** What rclone counts as deletions. */
  let gone = 0;
  const { history } = run;
  const { source, destination } = session;
  const ends = { source, destination, statsEvery: 1 };
  const tell = (object: string, kind: Told, size?: number): void => {
    if (isMisspelled(object)) lossy.push({ text: object, kind, size });
    else spool.tell(rawFromText(object), kind, size);
  };
  const onLog = (record: LogRecord): void => {
    if (record.stats !== undefined) {
      stats = record.stats;
      session.world.events.progress(progressOf("syncing", record.stats));
    }
    if (record.message.startsWith("not deleting files as there were IO errors")) suppressed = true;
    if (isLimit(record)) limited = true;
    if (leavesOut.test(record.message)) leftOut.push(record.object ?? "");
    if (record.message.startsWith("--checksum is in use but")) bySize = true;
    if (history?.setAside === "copy and delete" && record.message === "Deleted") gone += 1;
    const event = eventOf(record, history !== undefined);
    const object = fileOf(record);
    if (event === undefined || object === undefined) return;
    if (event === "deleted") gone += 1;
    tell(object, event, record.size);
    const renamed = fileRenamed.exec(record.message)?.[1];
    if (renamed !== undefined) tell(renamed, "deleted");
    session.world.events.detail(1, `${object}: ${record.message}`);
    if (event === "failed" && (failures.size < keptFailures || failures.has(object)))
      failures.set(object, record.message);
    // Of names that look alike, another may have failed.
    if (event !== "failed" && !isMisspelled(object)) failures.delete(object);
  };
  if (!("filesFrom" in work)) {
    const aside = history === undefined ? undefined : below(history.location, run.id);
    gone += await clearTheWay(run, work.inTheWay(), aside, (object, size) =>
      tell(object, "deleted", size),
    );
  }
  const { code, lastError, attempts } = await inAttempts(
    run,
    name === "first",
    async (backupDir) => {
      const last = stats;
      const result = await runRclone(session.rclone, {
        args:
          "filesFrom" in work
            ? againArgs({ ...ends, ...work, backupDir }, session.tuning)
            : syncArgs(
                {
                  ...ends,
                  backupDir,
                  filterFile: work.filterFile,
                  maxDelete: Math.max(work.maxDelete - gone, 0),
                  dryRun: false,
                },
                session.tuning,
              ),
        signal: session.world.signal,
        onLog,
      });
      if (stats !== last) bytes += stats?.bytes ?? 0;
      return result;
    },
  );
  const failed = [...failures]
    .filter(([text]) => !isMisspelled(text))
    .map(([text, reason]) => ({ path: rawFromText(text), reason }));
  // What failed in an attempt and not in the last one is done.
  const open = code === 0 ? lossy.filter(({ kind }) => kind !== "failed") : lossy;
  const { held, heldAlike = held } = planned;
  const listed = readListing(listing.file);
  for (const one of await spell(open, heldAlike(), listed, factsOf(run))) {
    for (const { kind, size } of one.told) spool.tell(one.path, kind, size);
    const reason =
      one.told.at(-1)?.kind === "failed" ? failures.get(asGoWrites(one.path)) : undefined;
    if (reason !== undefined) failed.push({ path: one.path, reason });
  }
  const sorted = await spool.sorted(scratch, session.world.signal);
  const counts = await countEvents(readEvents(sorted));
  await clearEmpty(run, failed);
  return {
    code,
    attempts,
    atLimit: code === fatal && limited,
    lastError,
    stats,
    failures: failed,
    failureCount: counts.failed,
    deletesSuppressed: suppressed,
    copied: { files: counts.copied, bytes },
    deleted: counts.deleted,
    eventCount: counts.copied + counts.deleted + counts.failed + counts.moved,
    events: () => readEvents(sorted),
    bySize,
    leftOut,
  };
}

/**
 * The file that a line is about. Since 1.63 rclone uploads under a temporary name, by which it calls
 * an upload that turned out wrong, or that something else is in the way of.
 */
function fileOf({ object, message }: LogRecord): string | undefined {
  return /^(corrupted on transfer|partial file rename failed)/.test(message)
    ? object?.replace(/\.[0-9a-z]{8}\.partial$/, "")
    : object;
}

function isLimit({ level, message }: LogRecord): boolean {
  return level === "error" && message.includes(limitReached);
}

/**
 * What a line of rclone's log says of a file; undefined for lines about anything else. Where old
 * versions are kept, `Moved` and then `Deleted` say that one was, and what comes next says why.
 */
function eventOf(record: LogRecord, keepsOld: boolean): Told | undefined {
  if (record.object === undefined || record.object === "") return undefined;
  if (record.level === "error") {
    // These speak of the destination as a whole, by its description.
    if (record.message.startsWith("not deleting ")) return undefined;
    // Nothing is wrong with a file that was not deleted for the limit.
    return isLimit(record) ? undefined : "failed";
  }
  if (record.level !== "info") return undefined;
  if (record.message === "Moved into backup dir") return "deleted";
  if (keepsOld && /^(Deleted$|Moved)/.test(record.message)) return "moved";
  if (record.message === "Deleted") return "deleted";
  if (record.message.startsWith("Updated modification time")) return "touched";
  return /^(Copied|Multi-thread Copied|Moved|Renamed from)/.test(record.message)
    ? "copied"
    : undefined;
}
