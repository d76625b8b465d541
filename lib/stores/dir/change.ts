import { usage } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { onePage } from "../../manifest/pages.ts";
import type { RunLine } from "../../manifest/runs.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";
import { runId } from "../../units/runid.ts";
import type { StoredVersion } from "../store.ts";
import type { DirContext } from "./context.ts";
import { storeRunManifest } from "./leave.ts";
import { listExactly } from "./listplace.ts";
import { putBack } from "./putback.ts";
import { lastNumber, listRuns } from "./runs.ts";
import { currentId } from "./timeline.ts";
import { copyBack, moveAside, type Failures } from "./transfer.ts";

/** What shall be at a name: an older version, or nothing. */
export type WantedCurrent =
  | { readonly kind: "version"; readonly version: StoredVersion }
  | { readonly kind: "nothing"; readonly name: RawPath };

export interface ChangeRun {
  readonly at: Date;
  /** The greatest number that a run had so far as the caller knows; the directory may know better. */
  readonly lastNumber: number;
  /** Tells temporaries apart. */
  readonly name: string;
  /** Asked once of each name, with what is there now; one that it denies is left as it is. */
  readonly mayChange?: MayChange | undefined;
}

export type MayChange = (name: RawPath, there: Entry | undefined) => boolean;

/**
 * Changes what is current, as a run of its own: what is replaced or hidden is moved to that run's
 * directory, older versions are copied and stay where they are, so that all of it can be undone.
 * Intent and outcome stand beside it as for any run. Returns the names for which it could not be done:
 * they hold what they held. Throws when nobody can tell; then no name is left empty that held a file,
 * and the next backup tells what had been done.
 */
export async function changeCurrent(
  context: DirContext,
  wanted: readonly WantedCurrent[],
  run: ChangeRun,
): Promise<Failures> {
  const asked = wanted
    .filter((wish) => wish.kind === "nothing" || wish.version.id !== currentId)
    .map((wish) => ({ wish, name: nameOf(wish) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (asked.length === 0) return new Map();
  const { rclone, history, tuning, signal } = context;
  const names = asked.map(({ name }) => name);
  const there = await listExactly(context, `change-${run.name}`, context.destination, names);
  const changes = asked.filter(({ name }) => run.mayChange?.(name, there.get(name)) ?? true);
  if (changes.length === 0) return new Map();
  const number = Math.max(
    lastNumber(await listRuns(rclone, history, tuning, signal)),
    run.lastNumber,
  );
  const id = runId(number + 1, run.at);
  const replaced = changes.map(({ name }) => name).filter((name) => there.has(name));
  const lines = changes.flatMap(({ wish, name }) => lineOf(wish, there.get(name)));
  const header = { run: id, startedAt: run.at.toISOString(), full: false, uncertain: false };
  await storeRunManifest(context, "intent", header, onePage(lines));
  const failed = new Map<RawPath, string>();
  try {
    const emptying = areEmptied(changes, replaced);
    for (const [name, why] of await moveAside(context, id, replaced, emptying))
      failed.set(name, why);
    const wishes = changes.filter(({ name }) => !failed.has(name)).map(({ wish }) => wish);
    const holes: RawPath[] = [];
    for (const [from, sizes] of byRun(wishes))
      for (const [name, why] of await copyBack(context, from, sizes)) {
        failed.set(name, why);
        if (there.has(name)) holes.push(name);
      }
    await putBack(context, id, onePage(holes.toSorted()));
  } catch (error) {
    const missing = lines.filter(({ kind }) => kind === "change").map(({ path }) => path);
    await putBack(context, id, onePage(missing));
    throw error;
  }
  const done = lines.filter(({ path }) => !failed.has(path));
  await storeRunManifest(context, "outcome", header, onePage(done));
  return failed;
}

/** Whether a file comes where a directory stands whose files are moved away: empty, it is in the way. */
function areEmptied(
  changes: readonly { readonly wish: WantedCurrent; readonly name: RawPath }[],
  replaced: readonly RawPath[],
): boolean {
  const coming = new Set(
    changes.flatMap(({ wish, name }) => (wish.kind === "version" ? name : [])),
  );
  return replaced.some((name) => {
    for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1))
      if (coming.has(rawFromBytes(name.slice(0, at)))) return true;
    return false;
  });
}

function nameOf(wish: WantedCurrent): RawPath {
  return wish.kind === "nothing" ? wish.name : wish.version.name;
}

function lineOf(wish: WantedCurrent, there: Entry | undefined): RunLine[] {
  const path = nameOf(wish);
  if (wish.kind === "nothing")
    return there === undefined
      ? []
      : [{ path, kind: "delete", size: there.size, time: there.time }];
  const { version } = wish;
  if (version.kind === "marker")
    throw usage("history: expected a version with content to make current, found a deletion");
  const time = version.modifiedAt === undefined ? "" : new Date(version.modifiedAt).toISOString();
  return [{ path, kind: there === undefined ? "add" : "change", size: version.size, time }];
}

/** The names of the versions that shall be current and their sizes, by the run in whose directory each lies. */
function byRun(
  wanted: readonly WantedCurrent[],
): ReadonlyMap<string, ReadonlyMap<RawPath, number>> {
  const runs = new Map<string, Map<RawPath, number>>();
  for (const wish of wanted) {
    if (wish.kind === "nothing") continue;
    const { id, name, size } = wish.version;
    const sizes = runs.get(id) ?? new Map<RawPath, number>();
    sizes.set(name, size);
    runs.set(id, sizes);
  }
  return runs;
}
