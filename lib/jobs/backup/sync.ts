import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import type { Obstacle } from "../../manifest/obstacles.ts";
import type { FileEvent } from "../../manifest/outcome.ts";
import type { Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { againArgs, syncArgs } from "../../rclone/argv.ts";
import type { Listing } from "../../rclone/listing.ts";
import type { LogRecord, Stats } from "../../rclone/log.ts";
import { runRclone } from "../../rclone/run.ts";
import { below } from "../../stores/dir/context.ts";
import {
  asGoWrites,
  isUtf8,
  rawFromBytes,
  rawFromText,
  type RawPath,
} from "../../units/rawpath.ts";
import type { FileFailure } from "../result.ts";
import { inAttempts } from "./attempts.ts";
import { clearEmpty, clearTheWay } from "./clearway.ts";
import type { Run } from "./run.ts";
import { progressOf } from "../statistics.ts";

/** How a sync ended and what it told about each file. */
export interface SyncOutcome {
  readonly code: number;
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

const fileRenamed = /^Renamed from "(.*)"$/;

/**
 * Runs the sync, spooling what rclone tells about each file: memory does not grow with their number.
 * `name` tells the syncs of one run apart, whose spools are read together.
 */
export async function sync(
  run: Run,
  name: "first" | "recounted" | "again",
  work: SyncWork,
  listing: Listing,
  held: () => Pages<Entry>,
): Promise<SyncOutcome> {
  const { session, scratch } = run;
  const spool = new LineSpool(join(scratch, `events-${name}`));
  const failures = new Map<string, string>();
  const lossy: { text: string; line: string }[] = [];
  let stats: Stats | undefined;
  let suppressed = false;
  let limited = false;
  let bySize = false;
  let sequence = 0;
  let bytes = 0;
  /** What rclone counts as deletions. */
  let gone = 0;
  const { history } = run;
  const { source, destination } = session;
  const ends = { source, destination, statsEvery: 1 };
  const tell = (object: string, kind: Told, size?: number): void => {
    sequence += 1;
    // The last event of a path counts: rclone tries three times.
    const line = `${String(sequence).padStart(12, "0")}\t${kind}\t${size ?? ""}`;
    if (object.includes("\uFFFD")) lossy.push({ text: object, line });
    else spool.write(`${rawFromText(object)}\t${line}`);
  };
  const onLog = (record: LogRecord): void => {
    if (record.stats !== undefined) {
      stats = record.stats;
      session.world.events.progress(progressOf("syncing", record.stats));
    }
    if (record.message.startsWith("not deleting files as there were IO errors")) suppressed = true;
    if (isLimit(record)) limited = true;
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
    if (event !== "failed") failures.delete(object);
  };
  if (!("filesFrom" in work)) {
    const aside = history === undefined ? undefined : below(history.location, run.id);
    gone += await clearTheWay(run, work.inTheWay(), aside, (object, size) =>
      tell(object, "deleted", size),
    );
  }
  const { code, lastError } = await inAttempts(run, name === "first", async (backupDir) => {
    const before = stats;
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
    if (stats !== before) bytes += stats?.bytes ?? 0;
    return result;
  });
  const spelled = new Map<string, RawPath>();
  for await (const { text, path, line } of matchLossy(lossy, [readListing(listing.file), held()])) {
    spool.write(`${path}\t${line}`);
    spelled.set(text, path);
  }
  spool.close();
  const sorted = `${spool.file}.sorted`;
  await sortFile(spool.file, sorted, scratch, { signal: session.world.signal });
  const counts = await countEvents(readEvents(sorted));
  const failed = [...failures].map(([text, reason]) => ({
    path: spelled.get(text) ?? rawFromText(text),
    reason,
  }));
  await clearEmpty(run, failed);
  return {
    code,
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

/** What one line tells; a file may have several. */
type Told = FileEvent["kind"] | "touched";

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

/**
 * Finds the paths that rclone's log can't spell: JSON has no bytes that are not UTF-8, so the log
 * shows U+FFFD in their place, and the listing knows them as they are.
 */
async function* matchLossy(
  told: readonly { text: string; line: string }[],
  known: readonly Pages<Entry>[],
): AsyncGenerator<{ text: string; path: RawPath; line: string }> {
  if (told.length === 0) return;
  const lines = new Map<string, string[]>();
  for (const { text, line } of told) lines.set(text, [...(lines.get(text) ?? []), line]);
  const found = new Set<string>();
  for (const pages of known) {
    for await (const page of pages) {
      for (const { path } of page) {
        if (isUtf8(path) || found.has(path)) continue;
        found.add(path);
        const text = asGoWrites(path);
        for (const line of lines.get(text) ?? []) yield { text, path, line };
      }
    }
  }
}

/** The last event of each path, sorted by path, and whether the path was set aside before. */
async function* readEvents(file: string): Pages<FileEvent> {
  let last: FileEvent | undefined;
  for await (const lines of linePages(createReadStream(file))) {
    const page: FileEvent[] = [];
    for (const line of lines) {
      const event = parseEvent(line);
      if (last !== undefined && last.path !== event.path) page.push(last);
      const aside = last?.path === event.path && last.aside === true;
      last = aside ? { ...event, aside } : event;
    }
    if (page.length > 0) yield page;
  }
  if (last !== undefined) yield [last];
}

function parseEvent(line: string): FileEvent {
  const [path = "", , kind, size = ""] = line.split("\t");
  const event = {
    path: rawFromBytes(path) satisfies RawPath,
    size: size === "" ? undefined : Number(size),
  };
  switch (kind) {
    case "copied":
    case "deleted":
      return { ...event, kind };
    case "moved":
      return { ...event, kind, aside: true };
    case "touched":
      return { ...event, kind: "copied", touched: true };
    default:
      return { ...event, kind: "failed" };
  }
}

async function countEvents(events: Pages<FileEvent>): Promise<Record<FileEvent["kind"], number>> {
  const counts = { copied: 0, deleted: 0, failed: 0, moved: 0 };
  for await (const page of events) for (const { kind } of page) counts[kind] += 1;
  return counts;
}
