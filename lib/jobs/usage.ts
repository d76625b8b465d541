import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, failed } from "../errors.ts";
import type { Entry } from "../manifest/entry.ts";
import { readListing } from "../manifest/listingfile.ts";
import type { Pages } from "../manifest/pages.ts";
import { listFiles } from "../rclone/listing.ts";
import { acquireLock } from "../state/lock.ts";
import { findStore } from "../stores/find.ts";
import { ageCutoff, type Age } from "../units/age.ts";
import type { Events } from "../units/events.ts";
import { rawFromText } from "../units/rawpath.ts";
import type { Of } from "../usage/choose.ts";
import type { Format } from "../usage/formats.ts";
import { treeOfHistories } from "../usage/histories.ts";
import type { Unread } from "../usage/lines.ts";
import { readListing as readForeignListing } from "../usage/listing.ts";
import { SizeTree } from "../usage/tree.ts";
import { listSource } from "./list.ts";
import { withHistory, type OpenHistory } from "./openhistory.ts";
import { held, noNames, watchForeign, type SeenNames } from "./ours.ts";
import type { Session } from "./session.ts";
import { lockFile } from "./statefiles.ts";

/** Where the space goes. */
export interface UsageResult {
  /** Totalled. */
  readonly tree: SizeTree;
  readonly from: "history" | "destination" | "source" | "listing";
  /** What was looked at: the backup's name, or a location; undefined for a listing. */
  readonly name: string | undefined;
  /** Of a listing. */
  readonly format?: Format;
  readonly unread?: Readonly<Unread>;
  /** `plain` bytes, or the `stored` ones that a provider bills. */
  readonly sizes: "plain" | "stored";
  /** Why the tree is not all of it. */
  readonly problem?: Failure;
}

export interface UsageOptions {
  /** Keeps files in the tree, and not only directories. */
  readonly files: boolean;
}

/** Adds up a listing that another program wrote. Throws failed when it is none that is known. */
export async function usageOfListing(
  pieces: AsyncIterable<Uint8Array>,
  options: UsageOptions & { readonly format: Format | undefined },
  events: Events,
): Promise<UsageResult> {
  const { tree, format, unread } = await readForeignListing(pieces, {
    ...options,
    onProgress: progressTo(events),
  });
  const base = { tree, from: "listing", name: undefined, format, unread, sizes: "plain" } as const;
  if (unread.count === 0) return base;
  return {
    ...base,
    problem: new Failure(
      "partial",
      `listing: expected lines of ${format}, found ${unread.count} that can't be read; the first is ${format === "lsjson" ? "object" : "line"} ${unread.first}: ${JSON.stringify(unread.text)}`,
      { hint: "--format says what it is, where it was taken for something else" },
    ),
  };
}

/** Adds up the source as a backup would see it, with the test filters before the filters. */
export async function usageOfSource(
  session: Session,
  options: UsageOptions & { readonly maxAge: Age | undefined },
): Promise<UsageResult> {
  const { world, backup } = session;
  const tree = new SizeTree({ files: options.files, names: "standard" });
  const cutoff =
    options.maxAge === undefined ? -Infinity : ageCutoff(options.maxAge, world.now()).getTime();
  let files = 0;
  let problem: Failure | undefined;
  try {
    await listSource(session, { testFilters: true }, async (pages) => {
      files = await addEntries(tree, pages, world.events, { since: cutoff });
    });
  } catch (error) {
    // What can be read was added; a source that can't be listed at all has nothing to tell.
    if (!(error instanceof Failure) || error.outcome !== "failed" || files === 0) throw error;
    problem = error;
  }
  return {
    tree: tree.total(),
    from: "source",
    name: backup.name,
    sizes: "plain",
    ...(problem === undefined ? {} : { problem }),
  };
}

export interface BackupUsageOptions extends UsageOptions {
  readonly of: Of;
  readonly sizes: "plain" | "stored";
  /** Every version counts as at least so many bytes. */
  readonly minimum: number;
}

/**
 * Adds up what a backup's destination holds, under its lock: every version where the store keeps
 * versions, else what rclone lists there.
 * Throws usage when old versions are asked for of a store that keeps none, failed when no name can
 * be decrypted, skipped while another run holds the lock.
 */
export async function usageOfBackup(
  session: Session,
  options: BackupUsageOptions,
): Promise<UsageResult> {
  // A listing tells nothing of what is stored, but all of what a backup shows.
  if (options.of === "current" && !keepsVersions(session)) return usageOfListed(session, options);
  return withHistory(session, { mode: "shared", command: "rclone-du" }, async (history) => {
    const { events } = history.session.world;
    const seen = noNames();
    const listed = history.histories(rawFromText(""), watchForeign(events, seen));
    const pages = held(history, listed, seen);
    const tree = await treeOfHistories(pages, { ...options, onProgress: progressTo(events) });
    if (seen.undecodable > 0) tellForeign(history, seen, tree);
    return { tree, from: "history", name: session.backup.name, sizes: options.sizes };
  });
}

function tellForeign(
  { store, session, found }: OpenHistory,
  seen: SeenNames,
  tree: SizeTree,
): void {
  const { undecodable: count, first } = seen;
  const some = count === 1 ? "1 version has a name" : `${count} versions have names`;
  if (tree.amount(0, "current").files + tree.amount(0, "old").files === 0)
    throw failed(`${store.place}: expected files of ours, found none; ${some} of another kind`, {
      hint:
        (found?.crypts.length ?? 0) > 0 ? "wrong password?" : "is this the place of the backup?",
    });
  session.world.events.warn(
    `${store.place}: ${some} that no file of ours has, not counted: ${first}`,
  );
}

/** Whether the store keeps versions by itself, or the backup does. */
function keepsVersions({ backup, remotes, rclone }: Session): boolean {
  const { kind } = backup.history;
  if (kind !== "auto") return kind !== "none";
  try {
    const { type } = findStore(backup.destination, { remotes, env: rclone.env });
    return type === "b2" || type === "s3";
  } catch (error) {
    // Layers that can't be seen through hide old versions, and rclone lists what they show.
    if (error instanceof Failure && error.outcome === "usage") return false;
    throw error;
  }
}

async function usageOfListed(
  session: Session,
  { files, minimum }: BackupUsageOptions,
): Promise<UsageResult> {
  const { world, features, tuning, destination, backup } = session;
  const lock = await acquireLock(await lockFile(session), {
    mode: "shared",
    command: `rclone-du ${backup.name}`,
    signal: world.signal,
    now: world.now,
  });
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  try {
    const rclone = { ...session.rclone, lock: lock.fd };
    const listing = await listFiles(rclone, features, tuning, {
      location: destination,
      filterFile: undefined,
      output: join(scratch, "listing"),
      scratch,
      signal: world.signal,
      what: "destination",
    });
    const tree = new SizeTree({ files, names: "standard" });
    await addEntries(tree, readListing(listing.file), world.events, { minimum });
    const [first] = listing.unreadable;
    return {
      tree: tree.total(),
      from: "destination",
      name: backup.name,
      sizes: "plain",
      ...(first === undefined
        ? {}
        : {
            problem: failed(
              `destination: expected all of it to be readable, found ${listing.unreadable.length} places that are not: ${first.path}: ${first.reason}`,
            ),
          }),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await lock.release();
  }
}

/** Adds the files of a listing of rclone's; returns how many. */
async function addEntries(
  tree: SizeTree,
  pages: Pages<Entry>,
  events: Events,
  { since = -Infinity, minimum = 0 }: { since?: number; minimum?: number },
): Promise<number> {
  const onProgress = progressTo(events);
  let [files, bytes] = [0, 0];
  for await (const page of pages) {
    for (const { path, size, time } of page) {
      if (since !== -Infinity && Date.parse(time) < since) continue;
      // rclone tells -1 where it does not know a size.
      const known = Math.max(size, 0, minimum);
      tree.add(path, known, "current");
      files += 1;
      bytes += known;
    }
    onProgress(files, bytes);
  }
  return files;
}

function progressTo(events: Events): (files: number, bytes: number) => void {
  return (files, bytes) =>
    events.progress({
      stage: "listing",
      doneFiles: files,
      totalFiles: undefined,
      doneBytes: bytes,
      totalBytes: undefined,
      rate: undefined,
      etaSeconds: undefined,
    });
}
