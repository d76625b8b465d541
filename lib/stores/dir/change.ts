import { join } from "node:path";
import { failed, usage } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { onePage } from "../../manifest/pages.ts";
import type { RunLine } from "../../manifest/runs.ts";
import { LineSpool } from "../../process/spool.ts";
import { copyExactArgs, moveBackArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { runId } from "../../units/runid.ts";
import type { StoredVersion } from "../store.ts";
import { below, type DirContext } from "./context.ts";
import { storeRunManifest } from "./leave.ts";
import { listPlace, putBack } from "./putback.ts";
import { lastNumber, listRuns } from "./runs.ts";
import { currentId } from "./timeline.ts";

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
 * Intent and outcome stand beside it as for any run. Throws when a part of it could not be done; then
 * no name is left empty that held a file, and the next backup tells what had been done.
 */
export async function changeCurrent(
  context: DirContext,
  wanted: readonly WantedCurrent[],
  run: ChangeRun,
): Promise<void> {
  const asked = wanted
    .filter((wish) => wish.kind === "nothing" || wish.version.id !== currentId)
    .map((wish) => ({ wish, name: nameOf(wish) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (asked.length === 0) return;
  const { rclone, history, tuning, signal } = context;
  const names = spool(
    context,
    `change-${run.name}`,
    asked.map(({ name }) => name),
  );
  const there = new Map<RawPath, Entry>();
  const listed = await listPlace(context, `change-${run.name}`, context.destination, names);
  for await (const page of listed()) for (const entry of page) there.set(entry.path, entry);
  const changes = asked.filter(({ name }) => run.mayChange?.(name, there.get(name)) ?? true);
  if (changes.length === 0) return;
  const number = Math.max(
    lastNumber(await listRuns(rclone, history, tuning, signal)),
    run.lastNumber,
  );
  const id = runId(number + 1, run.at);
  const replaced = changes.map(({ name }) => name).filter((name) => there.has(name));
  const lines = changes.flatMap(({ wish, name }) => lineOf(wish, there.get(name)));
  const header = { run: id, startedAt: run.at.toISOString(), full: false, uncertain: false };
  await storeRunManifest(context, "intent", header, onePage(lines));
  try {
    await transfer(context, "move", context.destination, below(history, id), replaced);
    for (const [from, paths] of byRun(changes.map(({ wish }) => wish)))
      await transfer(context, "copy", below(history, from), context.destination, paths);
  } catch (error) {
    const missing = lines.filter(({ kind }) => kind === "change").map(({ path }) => path);
    await putBack(context, id, onePage(missing));
    throw error;
  }
  await storeRunManifest(context, "outcome", header, onePage(lines));
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

/** The names of the versions that shall be current, by the run in whose directory each lies. */
function byRun(wanted: readonly WantedCurrent[]): ReadonlyMap<string, RawPath[]> {
  const runs = new Map<string, RawPath[]>();
  for (const wish of wanted) {
    if (wish.kind === "nothing") continue;
    const { id, name } = wish.version;
    const names = runs.get(id) ?? [];
    names.push(name);
    runs.set(id, names);
  }
  return runs;
}

function spool(context: DirContext, name: string, paths: readonly RawPath[]): string {
  const list = new LineSpool(join(context.scratch, name));
  for (const path of paths) list.write(path);
  list.close();
  return list.file;
}

/** Moves or copies files, all or it throws. */
async function transfer(
  context: DirContext,
  how: "move" | "copy",
  from: string,
  to: string,
  names: readonly RawPath[],
): Promise<void> {
  if (names.length === 0) return;
  const filesFrom = spool(context, "change.list", names);
  const args = (how === "move" ? moveBackArgs : copyExactArgs)(
    { from, to, filesFrom },
    context.tuning,
  );
  // Not by name: the log can't tell names apart that are not UTF-8.
  let done = 0;
  const { code, lastError } = await runRclone(context.rclone, {
    args,
    signal: context.signal,
    onLog: ({ level, message }) => {
      if (level === "info" && /^(Moved|Copied|Multi-thread Copied)/.test(message)) done += 1;
    },
  });
  if (code !== 0 || done < names.length)
    throw failed(
      `history: expected to ${how} ${names.length} files, found ${done} done and rclone exit code ${code}: ${lastError ?? "no error told"}`,
      {
        hint: "nothing is lost: what was replaced lies in the directory of old versions; run it again",
      },
    );
}
