import type { RawPath } from "../../units/rawpath.ts";

/** A version as a page of a listing tells it. */
export interface Entry {
  readonly key: string;
  readonly bytes: RawPath;
  readonly id: string;
  readonly kind: "file" | "marker";
  readonly size: number;
  readonly storedAt: number;
  readonly latest: boolean;
}

export interface Page {
  /** By key, of one key as the server has it. */
  readonly entries: readonly Entry[];
  /** Whether files and markers stand in one sequence, so that their order is the server's. */
  readonly mixed: boolean;
}

/**
 * The entries of a page by key. Some servers list the files of a page and its markers apart, each in
 * order. Undefined for a page that is in neither order.
 */
export function byKey(entries: readonly Entry[]): Page | undefined {
  const changes = entries.filter((entry, at) => at > 0 && entries[at - 1]?.kind !== entry.kind);
  const mixed = changes.length > 1;
  if (ordered(entries)) return { entries, mixed };
  const files = entries.filter((entry) => entry.kind === "file");
  const markers = entries.filter((entry) => entry.kind === "marker");
  if (mixed || !ordered(files) || !ordered(markers)) return undefined;
  return { entries: entries.toSorted(compareKeys), mixed };
}

function compareKeys(a: Entry, b: Entry): number {
  return a.bytes < b.bytes ? -1 : a.bytes > b.bytes ? 1 : 0;
}

function ordered(entries: readonly Entry[]): boolean {
  return entries.every((entry, at) => at === 0 || (entries[at - 1]?.bytes ?? "") <= entry.bytes);
}

/**
 * All versions of one key, newest first. The server's sequence counts where it is one; else the flag
 * of the latest, then the time, and at one time a marker lies above a file: what it deleted was there.
 * A marker never is older than what it covers, since a store may lie about the time of a deletion.
 */
export function newestFirst(group: readonly Entry[], mixed: boolean): readonly Entry[] {
  const sequence = mixed && group[0]?.latest === true ? group : byTime(group);
  let older = -Infinity;
  return sequence
    .toReversed()
    .map((entry) => {
      const storedAt = entry.kind === "marker" ? Math.max(entry.storedAt, older) : entry.storedAt;
      older = storedAt;
      return storedAt === entry.storedAt ? entry : { ...entry, storedAt };
    })
    .toReversed();
}

function byTime(group: readonly Entry[]): readonly Entry[] {
  // A server may round the times of files to seconds, up or down, and not those of markers.
  const rounded = group.every(({ kind, storedAt }) => kind === "marker" || storedAt % 1000 === 0);
  const time = ({ storedAt }: Entry): number =>
    rounded ? Math.round(storedAt / 1000) * 1000 : storedAt;
  return group
    .toSorted((a, b) => {
      if (a.latest !== b.latest) return a.latest ? -1 : 1;
      if (time(a) !== time(b)) return time(b) - time(a);
      if (a.kind !== b.kind) return a.kind === "marker" ? -1 : 1;
      return 0;
    })
    .map((entry) =>
      rounded ? { ...entry, storedAt: Math.floor(entry.storedAt / 1000) * 1000 } : entry,
    );
}
