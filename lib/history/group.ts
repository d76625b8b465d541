import type { Names } from "../crypt/names.ts";
import { failed } from "../errors.ts";
import type { Pages } from "../manifest/pages.ts";
import type { StoredVersion } from "../stores/store.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { FileHistory, FileVersion } from "./history.ts";

export interface HistoryOptions {
  /**
   * A name that is not ours, or one with versions of a size that no file of ours can have; `count`
   * versions of it are left out.
   */
  readonly onUndecodable?: (name: RawPath, count: number, why: "name" | "size") => void;
}

/** Histories that are handed on at once: few, so that they are gone before the next are made. */
const chunk = 512;

/**
 * Groups a sorted stream of versions into one history per file, names decoded a page at a time.
 * What can't be decoded is reported and left out. Memory holds one page and one file's versions.
 * Throws a Failure when the stream is out of order, since parts of a file would look like a whole.
 */
export async function* histories(
  versions: Pages<StoredVersion>,
  names: Names,
  options: HistoryOptions = {},
): Pages<FileHistory> {
  // The versions so far of the last name, which may go on in the next page.
  let open: StoredVersion[] = [];
  for await (const page of versions) {
    const starts = startsOf(page, open[0]);
    const first = starts[0] ?? page.length;
    for (const version of page.slice(0, first)) open.push(version);
    if (first === page.length) continue;
    yield* decode(open, page, starts, names, options);
    open = page.slice(starts.at(-1));
  }
  yield* decode(open, [], [], names, options);
}

/** Where in a page each name begins that is not the one before it. */
function startsOf(page: readonly StoredVersion[], before: StoredVersion | undefined): number[] {
  const starts: number[] = [];
  let last = before && orderOf(before);
  for (let index = 0; index < page.length; index += 1) {
    const version = page[index];
    if (version === undefined) continue;
    const order = orderOf(version);
    if (order === last) continue;
    if (last !== undefined && order < last)
      throw failed("expected the store to list versions by name, found one out of order");
    starts.push(index);
    last = order;
  }
  return starts;
}

function orderOf({ order, name }: StoredVersion): RawPath {
  return order ?? name;
}

/** The histories of `first` and of all names of a page but the last, which may not be whole. */
function* decode(
  first: readonly StoredVersion[],
  page: readonly StoredVersion[],
  starts: readonly number[],
  names: Names,
  { onUndecodable }: HistoryOptions,
): Generator<FileHistory[]> {
  const stored: RawPath[] = [];
  if (first[0] !== undefined) stored.push(first[0].name);
  for (let at = 0; at < starts.length - 1; at += 1) {
    const version = page[starts[at] ?? 0];
    if (version !== undefined) stored.push(version.name);
  }
  if (stored.length === 0) return;
  const paths = names.decode(stored);
  const offset = first.length === 0 ? 0 : 1;
  let result: FileHistory[] = [];
  for (let index = 0; index < stored.length; index += 1) {
    const at = index - offset;
    const entries = at < 0 ? first : page.slice(starts[at], starts[at + 1]);
    const name = stored[index];
    const path = paths[index];
    // An empty path would mean everything, and one that ends in / is no file.
    const decoded = path === undefined || path === "" || path.endsWith("/") ? undefined : path;
    const history = decoded === undefined ? undefined : fileHistory(decoded, entries, names);
    if (name !== undefined && history === undefined)
      onUndecodable?.(name, entries.length, decoded === undefined ? "name" : "size");
    if (history === undefined) continue;
    if (history.foreign > 0) onUndecodable?.(history.name, history.foreign, "size");
    result.push(history);
    if (result.length === chunk) {
      yield result;
      result = [];
    }
  }
  if (result.length > 0) yield result;
}

/** Shared by all files without any: an array each would be most of what a large listing costs. */
const none: readonly StoredVersion[] = [];

/**
 * The history of one file from all its entries, newest first. Undefined if it has contents and all of
 * them a size that no stored file can have.
 */
function fileHistory(
  path: RawPath,
  entries: readonly StoredVersion[],
  names: Pick<Names, "plainSize">,
): FileHistory | undefined {
  const versions: FileVersion[] = [];
  let markers: StoredVersion[] | undefined;
  let newer: StoredVersion | undefined;
  let foreign = 0;
  for (let index = 0; index < entries.length; index += 1) {
    const stored = entries[index];
    if (stored === undefined) continue;
    if (stored.kind === "marker") (markers ??= []).push(stored);
    else {
      const size = names.plainSize(stored.size);
      if (size === undefined) foreign += 1;
      else versions.push(span(stored, size, newer));
    }
    newer = stored;
  }
  if (foreign > 0 && versions.length === 0) return undefined;
  const newest = entries[0];
  const first = versions[0];
  const deleted = newest?.kind === "marker";
  return {
    path,
    name: newest?.name ?? path,
    order: newest === undefined ? path : orderOf(newest),
    versions,
    markers: markers ?? none,
    entries,
    foreign,
    current: first?.stored === newest ? first : undefined,
    deletedAt: deleted ? deletionOf(entries) : undefined,
  };
}

/** A second marker on top of a first deletes nothing. */
function deletionOf(entries: readonly StoredVersion[]): number {
  const content = entries.findIndex(({ kind }) => kind === "file");
  const marker = entries[Math.max(content, 1) - 1];
  return Math.max(marker?.storedAt ?? 0, entries[content]?.storedAt ?? -Infinity);
}

function span(stored: StoredVersion, size: number, newer: StoredVersion | undefined): FileVersion {
  const from = stored.storedAt;
  if (newer === undefined)
    return {
      stored,
      size,
      from,
      until: undefined,
      end: "current",
      ended: undefined,
      doubtful: false,
    };
  const until = Math.max(newer.storedAt, from);
  const known = stored.endedAt ?? until;
  const deleted = newer.kind === "marker";
  return {
    stored,
    size,
    from,
    until,
    end: deleted ? "deleted" : "superseded",
    ended: known >= from && known < until ? known : undefined,
    // Two uploads may share a moment of a coarse clock; a marker with the time of what it covers
    // is what a store writes that doesn't know.
    doubtful: deleted ? newer.doubtful === true || newer.storedAt <= from : newer.storedAt < from,
  };
}
