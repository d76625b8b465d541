import type { RawPath } from "../units/rawpath.ts";
import { unchanged, type Entry } from "./entry.ts";
import { merge, noPages, type Pages } from "./pages.ts";

/** What rclone told about one file during a sync. */
export interface FileEvent {
  readonly path: RawPath;
  /** `moved`: to the old versions, and then nothing came in its place. */
  readonly kind: "copied" | "deleted" | "failed" | "moved";
  /** Bytes copied, where this rclone tells. */
  readonly size?: number | undefined;
  /** What was at the path lies among the old versions now. */
  readonly aside?: boolean;
  /** It was set aside, and before the run there was none: what lies aside came with it, too. */
  readonly came?: boolean;
  /** Nothing but the time was changed. */
  readonly touched?: boolean;
}

/**
 * Whether rclone may take a file for equal that is not what the destination held: by what that was,
 * where it was known.
 */
export type Doubt = (before: Entry | undefined) => boolean;

/** Listed files that changed, as far as is known, and of which nothing was told. */
export async function* untold(
  held: Pages<Entry>,
  listed: Pages<Entry>,
  events: Pages<FileEvent>,
): Pages<{ readonly before: Entry | undefined; readonly now: Entry }> {
  for await (const rows of merge(pairs(held, listed), events))
    yield rows.flatMap(([pair, event]) => {
      if (pair?.now === undefined || event !== undefined) return [];
      const { before, now } = pair;
      return before !== undefined && unchanged(before, now) ? [] : [{ before, now }];
    });
}

/**
 * What the destination holds after a sync, from what it held, what was listed, and what rclone
 * told. `clean` says that rclone ended without an error: then a listed file of which it told
 * nothing was found equal, and one that is not listed is gone. Otherwise such a file may not have
 * been looked at: its old entry stays, as does that of a changed file for which `doubted` says that
 * rclone could not see the change. `onDeviation` is called for every file of which the destination
 * does not hold just what was listed, `onCopied` for every one that was written anew.
 */
export async function* outcome(
  held: Pages<Entry>,
  listed: Pages<Entry>,
  events: Pages<FileEvent>,
  clean: boolean,
  onDeviation?: () => void,
  onCopied?: (entry: Entry) => void,
  doubted: Doubt = () => false,
): Pages<Entry> {
  for await (const rows of merge(pairs(held, listed), events)) {
    const page: Entry[] = [];
    for (const [pair, event] of rows) {
      const entry =
        pair === undefined ? unlisted(event) : after(pair.before, pair.now, event, clean, doubted);
      if (!asListed(entry, pair?.now)) onDeviation?.();
      if (entry !== undefined) page.push(entry);
      if (entry !== undefined && event?.kind === "copied") onCopied?.(entry);
    }
    if (page.length > 0) yield page;
  }
}

function asListed(entry: Entry | undefined, now: Entry | undefined): boolean {
  if (entry === undefined || now === undefined) return entry === now;
  return unchanged(entry, now);
}

/** What is known of a path before and now. */
interface Pair {
  readonly path: string;
  readonly before: Entry | undefined;
  readonly now: Entry | undefined;
}

/** Goes through two sequences at once, path by path. */
export async function* pairs(held: Pages<Entry>, listed: Pages<Entry>): Pages<Pair> {
  for await (const page of merge(held, listed)) {
    yield page.map(([before, now]) => ({ path: (before ?? now)?.path ?? "", before, now }));
  }
}

function after(
  before: Entry | undefined,
  now: Entry | undefined,
  event: FileEvent | undefined,
  clean: boolean,
  doubted: Doubt,
): Entry | undefined {
  if (event?.kind === "deleted") return undefined;
  // What was moved away is moved back, also what an earlier attempt had stored.
  if (event?.kind === "failed" || event?.kind === "moved")
    return event.came === true && now !== undefined ? { ...now, uncertain: true } : before;
  if (event?.kind === "copied") {
    if (now === undefined) return unlisted(event);
    return event.size === undefined || event.size === now.size
      ? now
      : { ...now, size: event.size, uncertain: true };
  }
  // A sync without an error leaves nothing that is not in the source.
  if (now === undefined) return clean ? undefined : before;
  if (before !== undefined && unchanged(before, now)) return finer(before, now);
  return clean && !doubted(before) ? now : before;
}

/** The entry with the finer time, where another version of rclone listed it in whole seconds. */
function finer(before: Entry, now: Entry): Entry {
  return now.time.length > before.time.length ? now : before;
}

/** A file that was copied though it was not listed: it came later, with a time that nobody told. */
function unlisted(event: FileEvent | undefined): Entry | undefined {
  if (event?.kind !== "copied") return undefined;
  return {
    path: event.path,
    size: event.size ?? -1,
    time: "1970-01-01T00:00:00Z",
    uncertain: true,
  };
}

/** What several syncs of one run told, in their order: what a later one told of a file counts. */
export function joinEvents(told: readonly (() => Pages<FileEvent>)[]): Pages<FileEvent> {
  return told.map((events) => events()).reduce(laterWins, noPages());
}

async function* laterWins(first: Pages<FileEvent>, second: Pages<FileEvent>): Pages<FileEvent> {
  for await (const page of merge(first, second))
    yield page.flatMap(([old, now]) => {
      const event = now ?? old;
      if (event === undefined) return [];
      return old?.aside === true ? [{ ...event, aside: true }] : [event];
    });
}

/** Files that were set aside though there were none before the run: an earlier attempt of it had stored them. */
export async function* cameAndWent(held: Pages<Entry>, events: Pages<FileEvent>): Pages<RawPath> {
  for await (const page of merge(held, events))
    yield page.flatMap(([before, event]) =>
      before === undefined && event?.aside === true ? [event.path] : [],
    );
}

/** The events, those of these files with a mark. */
export async function* markCame(
  events: Pages<FileEvent>,
  came: ReadonlySet<RawPath>,
): Pages<FileEvent> {
  for await (const page of events)
    yield page.map((event) => (came.has(event.path) ? { ...event, came: true } : event));
}
