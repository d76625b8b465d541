import { join } from "node:path";
import type { Entry } from "../../manifest/entry.ts";
import { onePage } from "../../manifest/pages.ts";
import type { RunLine } from "../../manifest/runs.ts";
import { LineSpool } from "../../process/spool.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { runId } from "../../units/runid.ts";
import type { StoredVersion } from "../store.ts";
import type { ChangeRun } from "./change.ts";
import { below, type DirContext } from "./context.ts";
import { storeRunManifest } from "./leave.ts";
import { listPlace } from "./listplace.ts";
import { moveBack } from "./putback.ts";
import { lastNumber, listRuns } from "./runs.ts";
import { markerPrefix } from "./timeline.ts";
import type { Known } from "./told.ts";

/**
 * Takes deletions back, as removing a marker does elsewhere: the file that a run deleted is moved back
 * from its directory, as if it had stayed. A marker that is not the newest of its name, or whose file
 * is no longer there, means nothing any more. Returns the runs whose files were moved; if there are
 * any, that is a run of its own with both its lists. Throws when it can't be done.
 */
export async function undelete(
  context: DirContext,
  known: Known,
  markers: readonly StoredVersion[],
  { at, lastNumber: recorded, name }: ChangeRun,
): Promise<readonly string[]> {
  const newest = await newestOnly(known, markers);
  const asked = new LineSpool(join(context.scratch, `${name}.back`));
  for (const path of newest.keys()) asked.write(path);
  asked.close();
  if (newest.size === 0) return [];
  const taken = new Set<RawPath>();
  const there = await listPlace(context, `${name}-there`, context.destination, {
    filesFrom: asked.file,
  });
  for await (const page of there()) for (const { path } of page) taken.add(path);
  const found = new Map<string, Entry[]>();
  for (const run of new Set(newest.values())) {
    const entries: Entry[] = [];
    const place = below(context.history, run);
    const aside = await listPlace(context, `${name}-${run}`, place, { filesFrom: asked.file });
    for await (const page of aside())
      for (const entry of page)
        if (newest.get(entry.path) === run && !taken.has(entry.path)) entries.push(entry);
    if (entries.length > 0) found.set(run, entries);
  }
  if (found.size === 0) return [];
  const runs = await listRuns(context.rclone, context.history, context.tuning, context.signal);
  const number = Math.max(lastNumber(runs), recorded) + 1;
  const header = { run: runId(number, at), startedAt: at.toISOString() };
  const lines = [...found.values()]
    .flat()
    .map(({ path, size, time }): RunLine => ({ path, kind: "back", size, time }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const told = { ...header, full: false, uncertain: false };
  await storeRunManifest(context, "intent", told, onePage(lines));
  for (const [run, entries] of found)
    await moveBack(context, run, onePage(entries.map(({ path }) => path)));
  await storeRunManifest(context, "outcome", told, onePage(lines));
  return [...found.keys()];
}

/** The run of each marker that is the last thing which happened to its name. */
async function newestOnly(
  { runs, lines }: Known,
  markers: readonly StoredVersion[],
): Promise<Map<RawPath, string>> {
  const wanted = new Map(
    markers.map(({ name, id }) => [name, id.slice(markerPrefix.length)] as const),
  );
  const order = new Map(runs.map(({ id }, at) => [id, at]));
  for await (const page of lines())
    for (const { path, run, kind } of page) {
      const marker = wanted.get(path);
      if (marker === undefined || kind === "touch" || kind === "held") continue;
      if (run > (order.get(marker) ?? -1)) wanted.delete(path);
    }
  return wanted;
}
