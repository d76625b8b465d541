import { join } from "node:path";
import { systemCode } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { DamagedManifest } from "../../manifest/gziplines.ts";
import { merge, noPages, type Pages } from "../../manifest/pages.ts";
import { readRunManifest, type RunLine } from "../../manifest/runs.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { alike } from "./alike.ts";
import { below, type DirContext } from "./context.ts";
import { fetchManifests } from "./fetch.ts";
import { storeRunManifest } from "./leave.ts";
import { listPlace, moveBack, type PutBack } from "./putback.ts";
import { cutRuns, manifestName, type HistoryRun } from "./runs.ts";

/** A run that was cut off, and what was moved back of it. */
export interface MendedRun extends PutBack {
  readonly run: HistoryRun;
}

/**
 * Closes runs that were cut off, newest first. rclone moves a file away before it
 * uploads the new one, so a run that was killed may leave nothing at a name: what was not meant to be
 * deleted is moved back. Then the outcome is written down as far as it can be told.
 * Throws when that can't be done; what is not closed is found again by the next run.
 */
export async function mendCutRuns(
  context: DirContext,
  runs: readonly HistoryRun[],
): Promise<readonly MendedRun[]> {
  const cut = cutRuns(runs);
  if (cut.length === 0) return [];
  const names = cut.filter(({ intent }) => intent).map(({ id }) => manifestName(id, "intent"));
  const manifests = await fetchManifests(context, names);
  const mended: MendedRun[] = [];
  for (const run of cut.toReversed()) {
    const intent = await readIntent(join(manifests, manifestName(run.id, "intent")));
    const aside = await listPlace(context, "aside", below(context.history, run.id));
    const there = await listPlace(context, "there", context.destination);
    const rows = (): Pages<Row> => rowsOf(intent, aside, there);
    const put = await moveBack(context, run.id, holes(rows()));
    const startedAt = new Date(run.startedAt).toISOString();
    const header = { run: run.id, startedAt, full: false, uncertain: true };
    await storeRunManifest(context, "outcome", header, asFarAsKnown(rows()));
    mended.push({ ...put, run });
  }
  return mended;
}

/** What is known of one path: what was planned, what lies aside, and what is there. */
interface Row {
  readonly path: RawPath;
  readonly planned: RunLine | undefined;
  readonly aside: Entry | undefined;
  readonly there: Entry | undefined;
}

/** A run that was killed while it wrote its intent moved nothing; one that planned nothing has none. */
async function readIntent(file: string): Promise<() => Pages<RunLine>> {
  try {
    for await (const _ of readRunManifest(file, "intent"));
    return () => readRunManifest(file, "intent");
  } catch (error) {
    if (error instanceof DamagedManifest || systemCode(error) === "ENOENT") return noPages;
    throw error;
  }
}

async function* rowsOf(
  intent: () => Pages<RunLine>,
  aside: () => Pages<Entry>,
  there: () => Pages<Entry>,
): Pages<Row> {
  async function* known(): Pages<Pick<Row, "path" | "planned" | "aside">> {
    for await (const page of merge(intent(), aside()))
      yield page.flatMap(([planned, old]) => {
        const path = planned?.path ?? old?.path;
        return path === undefined ? [] : [{ path, planned, aside: old }];
      });
  }
  for await (const page of merge(known(), there()))
    yield page.flatMap(([row, now]) => (row === undefined ? [] : [{ ...row, there: now }]));
}

function isHole({ planned, aside, there }: Row): boolean {
  return aside !== undefined && there === undefined && planned?.kind !== "delete";
}

async function* holes(rows: Pages<Row>): Pages<RawPath> {
  for await (const page of rows) yield page.filter(isHole).map(({ path }) => path);
}

async function* asFarAsKnown(rows: Pages<Row>): Pages<RunLine> {
  for await (const page of rows) yield page.flatMap(lineOf);
}

function lineOf(row: Row): RunLine[] {
  const { path, planned, aside, there } = row;
  if (isHole(row)) return [];
  if (aside !== undefined && there === undefined)
    return [{ path, kind: "delete", size: aside.size, time: aside.time, uncertain: true }];
  if (there === undefined) return [];
  const { size, time } = there;
  if (aside !== undefined) return [{ path, kind: "change", size, time, uncertain: true }];
  if (planned === undefined || planned.kind === "delete") return [];
  // Where nothing was, an rclone that is killed may leave a cut file: it came with this run all the same.
  if (planned.kind !== "add" && !alike(planned, there)) return [];
  // What had been there would lie aside: only its time was set.
  const kind = planned.kind === "change" ? "touch" : planned.kind === "back" ? planned.kind : "add";
  return [{ path, kind, size, time, uncertain: true }];
}
