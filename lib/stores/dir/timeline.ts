import type { Entry } from "../../manifest/entry.ts";
import type { RunLine } from "../../manifest/runs.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { StoredVersion } from "../store.ts";
import { alike, sameSize } from "./alike.ts";

/** A run as far as its manifests tell; runs are counted from 0 on, in the order of their numbers. */
export interface KnownRun {
  readonly id: string;
  /** When it began, milliseconds since 1970. */
  readonly time: number;
  /** Nobody saw its end, or the clock stood before an earlier run's. */
  readonly uncertain: boolean;
  /** It was cut off, and nobody has closed it: what it set aside may still be to come back. */
  readonly cut?: boolean;
  /** Its outcome tells of every file that the destination held. */
  readonly full?: boolean;
}

/** What a run's manifest says of one path. */
export interface Told extends Pick<RunLine, "kind" | "size" | "time"> {
  readonly run: number;
  readonly uncertain: boolean;
  /** Out of an intent that has no outcome: it may have happened. */
  readonly planned: boolean;
}

/** All that is known of one path. */
export interface PathFacts {
  readonly path: RawPath;
  /** As the destination lists it. */
  readonly current: Entry | undefined;
  /** What runs set aside, and which of them; in any order. */
  readonly aside: readonly { readonly run: number; readonly entry: Entry }[];
  readonly told: readonly Told[];
}

export const currentId = "current";
export const markerPrefix = "marker:";

/** How a version came: by which run, or before history began. */
interface Arrival {
  readonly run: number | undefined;
  readonly uncertain: boolean;
}

/**
 * The versions of one path, newest first, as a store would list them that keeps versions by itself:
 * a marker, which no store holds, stands where a file was deleted and an older version is left. What a
 * cut off run set aside without anything in its place counts as there: it is moved back.
 */
export function timeline(facts: PathFacts, runs: readonly KnownRun[]): StoredVersion[] {
  const told = facts.told.toSorted((a, b) => b.run - a.run);
  const items: { entry: Entry; end: number | undefined }[] = facts.aside
    .toSorted((a, b) => a.run - b.run)
    .map(({ run, entry }) => ({ entry, end: run }));
  if (facts.current !== undefined) items.push({ entry: facts.current, end: undefined });
  const versions: StoredVersion[] = [];
  let before: number | undefined;
  const hole = facts.current === undefined && isHole(items.at(-1)?.end, told, runs);
  for (const { entry, end } of items) {
    const half = end === undefined ? halfLine(entry, before, told, runs) : undefined;
    const arrival =
      half === undefined
        ? arrivalOf(entry, before, end, told, runs)
        : { run: half.run, uncertain: true };
    if (before !== undefined && (arrival.run ?? before) > before) {
      const deletions = deletionsOf(told, before, arrival.run);
      if (deletions.length === 0 && !replaced(told, before)) deletions.push(before);
      for (const run of deletions) versions.push(marker(facts.path, run, runs));
    }
    const made = {
      ...version(facts.path, entry, end, arrival, runs),
      ...(half === undefined ? {} : { meant: half.size }),
    };
    const { endedAt: _, ...there } = made;
    versions.push(hole && entry === items.at(-1)?.entry ? { ...there, uncertain: true } : made);
    before = end;
  }
  if (before !== undefined && !hole) {
    const last = deletion(before, told, runs);
    // Where nobody told of the last one, it has to stand right above the version whose end is unknown.
    const deletions = last.doubtful === true ? [] : deletionsOf(told, before, undefined);
    const run = deletions.pop() ?? before;
    for (const earlier of deletions) versions.push(marker(facts.path, earlier, runs));
    versions.push({ ...marker(facts.path, run, runs), ...last });
  }
  return versions.toReversed();
}

/**
 * Runs that deleted the file, oldest first, from the one that set a version aside on and before the
 * one that brought the next: what they deleted may be gone, that it was deleted is not.
 */
function deletionsOf(told: readonly Told[], from: number, before: number | undefined): number[] {
  return told
    .filter(({ run, kind, planned }) => kind === "delete" && (!planned || run === from))
    .map(({ run }) => run)
    .filter((run) => run >= from && run < (before ?? Infinity))
    .toReversed();
}

/**
 * What a run which was cut off was to write where a current file of another size is: that may be a part of
 * it. What lies there from before is no such file. `before`: the run that set the version before it aside.
 */
function halfLine(
  entry: Entry,
  before: number | undefined,
  told: readonly Told[],
  runs: readonly KnownRun[],
): Told | undefined {
  const line = told.find(({ run, planned }) => planned && runs[run]?.cut === true);
  if (line === undefined || sameSize(line, entry)) return undefined;
  const { kind, run } = line;
  if (kind === "add") return line;
  return (kind === "change" || kind === "copy") && run === before ? line : undefined;
}

/** Whether a run was cut off between moving a file away and uploading what comes in its place. */
function isHole(
  run: number | undefined,
  told: readonly Told[],
  runs: readonly KnownRun[],
): boolean {
  if (run === undefined || runs[run]?.cut !== true) return false;
  return !told.some((line) => line.run === run && line.kind === "delete");
}

/**
 * When a file was deleted that was set aside last by the run `before`. Where something is said to have
 * been there afterwards, it vanished outside any run, and nobody knows when; where nothing is said
 * neither. `told` is newest first.
 */
function deletion(
  before: number,
  told: readonly Told[],
  runs: readonly KnownRun[],
): Pick<StoredVersion, "storedAt" | "uncertain" | "doubtful"> {
  const storedAt = runs[before]?.time ?? 0;
  const last = told.find(
    ({ run, kind, planned }) => run >= before && kind !== "touch" && (!planned || run === before),
  );
  if (last?.kind !== "delete") return { storedAt, doubtful: true };
  const { time, uncertain } = runs[last.run] ?? { time: 0, uncertain: false };
  return { storedAt: Math.max(storedAt, time), ...(uncertain ? { uncertain } : {}) };
}

function version(
  name: RawPath,
  entry: Entry,
  end: number | undefined,
  arrival: Arrival,
  runs: readonly KnownRun[],
): StoredVersion {
  const run = arrival.run === undefined ? undefined : runs[arrival.run];
  const aside = end === undefined ? undefined : runs[end];
  const modifiedAt = Date.parse(entry.time);
  return {
    name,
    id: end === undefined ? currentId : (aside?.id ?? ""),
    kind: "file",
    size: Math.max(entry.size, 0),
    storedAt: run?.time ?? 0,
    modifiedAt: Number.isNaN(modifiedAt) ? undefined : modifiedAt,
    ...(arrival.uncertain || run?.uncertain === true ? { uncertain: true } : {}),
    ...(aside === undefined ? {} : { endedAt: aside.time }),
  };
}

function marker(name: RawPath, at: number, runs: readonly KnownRun[]): StoredVersion {
  const run = runs[at];
  return {
    name,
    id: `${markerPrefix}${run?.id ?? ""}`,
    kind: "marker",
    size: 0,
    storedAt: run?.time ?? 0,
    modifiedAt: undefined,
    ...(run?.uncertain === true ? { uncertain: true } : {}),
  };
}

/** Whether a run put new content in the place of what it set aside, though a later one may be gone. */
function replaced(told: readonly Told[], run: number): boolean {
  return told.some(
    (line) =>
      line.run === run && (line.kind === "add" || line.kind === "change" || line.kind === "copy"),
  );
}

/**
 * Which run brought an entry: the newest that says so, from the one that set the version before it
 * aside (`from`) on and before the one that set it aside itself (`end`). Where none says so, it came after the last
 * that listed all files and not this one.
 */
function arrivalOf(
  entry: Entry,
  from: number | undefined,
  end: number | undefined,
  told: readonly Told[],
  runs: readonly KnownRun[],
): Arrival {
  // Where an older version was set aside and nobody says what came, this came at that time or later.
  let fallback: Arrival = { run: from, uncertain: from !== undefined };
  let held = false;
  let back = false;
  // An attempt of that run had stored it anew, and a later one set it aside.
  if (
    end !== undefined &&
    told.some(({ run, kind, planned }) => run === end && kind === "add" && !planned)
  )
    return { run: end, uncertain: true };
  let first = end ?? runs.length;
  for (const line of told) {
    if (line.run >= (end ?? runs.length)) continue;
    if (line.run < (from ?? 0)) break;
    const { run, uncertain } = line;
    if (!line.planned) first = run;
    switch (line.kind) {
      case "touch":
        break;
      case "delete":
        // Where it was only planned, it may never have been.
        if (back) back = false;
        else if (!line.planned && run !== from)
          return { run: fallback.run ?? run, uncertain: true };
        break;
      case "back":
        back = alike(line, entry);
        break;
      case "held":
        // Something else was there: this one came later, from elsewhere.
        if (!sameSize(line, entry)) return { run: fallback.run ?? run, uncertain: true };
        fallback = { run, uncertain: true };
        held = true;
        break;
      case "add":
      case "change":
      case "copy":
        // What was overwritten would lie aside: otherwise only the time was set.
        if (line.planned && (!alike(line, entry) || (line.kind === "change" && run !== from)))
          break;
        if (!sameSize(line, entry)) return { run: held ? fallback.run : run, uncertain: true };
        return { run, uncertain };
    }
  }
  if (from !== undefined) return fallback;
  const absent = runs.findLastIndex(
    ({ full, uncertain }, at) =>
      at < first && full === true && !uncertain && !told.some(({ run }) => run === at),
  );
  if (absent >= 0) return { run: Math.min(absent + 1, first, runs.length - 1), uncertain: true };
  const doubt = !held && runs.slice(0, end ?? runs.length).some((run) => run.uncertain);
  return { run: undefined, uncertain: doubt };
}
