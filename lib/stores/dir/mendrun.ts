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
import { listPlace } from "./listplace.ts";
import { moveBack, type PutBack } from "./putback.ts";
import { cutRuns, manifestName, type HistoryRun } from "./runs.ts";

/** A run that was cut off, and what was moved back of it. */
export interface MendedRun extends PutBack {
  readonly run: HistoryRun;
}

/**
 * Closes runs that were cut off, newest first. rclone moves a file away before it
 * uploads the new one, so a run that was killed may leave nothing at a name: what was not meant to be
 * deleted is moved back. Then the outcome is written down as far as it can be told. `held` is what the destination held
 * before, where that is known for sure: what else is there came with the run, planned or not.
 * Throws when that can't be done; what is not closed is found again by the next run.
 */
export async function mendCutRuns(
  context: DirContext,
  runs: readonly HistoryRun[],
  held?: () => Pages<Entry>,
): Promise<readonly MendedRun[]> {
  const cut = cutRuns(runs);
  if (cut.length === 0) return [];
  const names = cut.filter(({ intent }) => intent).map(({ id }) => manifestName(id, "intent"));
  const manifests = await fetchManifests(context, names);
  const mended: MendedRun[] = [];
  const intents = new Map<HistoryRun, Intent>();
  for (const run of cut)
    intents.set(run, await readIntent(join(manifests, manifestName(run.id, "intent"))));
  for (const run of cut.toReversed()) {
    const { intent } = intents.get(run) ?? noIntent;
    const startedAt = startOf(run, intents);
    const aside = await listPlace(context, "aside", below(context.history, run.id));
    const there = await listPlace(context, "there", context.destination);
    const rows = (): Pages<Row> => rowsOf(intent, aside, there, run.intent ? held : undefined);
    const put = await moveBack(context, run.id, holes(rows()));
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
  /** It is there and was not before the run. */
  readonly isNew: boolean;
}

/** What a run was about to do, and when it began. */
interface Intent {
  readonly intent: () => Pages<RunLine>;
  readonly startedAt: string | undefined;
}

const noIntent: Intent = { intent: noPages, startedAt: undefined };

/** A run that was killed while it wrote its intent moved nothing; one that planned nothing has none. */
async function readIntent(file: string): Promise<Intent> {
  let startedAt: string | undefined;
  try {
    for await (const _ of readRunManifest(file, "intent", (header) => ({ startedAt } = header)));
    return { intent: () => readRunManifest(file, "intent"), startedAt };
  } catch (error) {
    if (error instanceof DamagedManifest || systemCode(error) === "ENOENT") return noIntent;
    throw error;
  }
}

/** Its name has whole seconds; a later attempt of a run has the run's time and no intent of its own. */
function startOf(run: HistoryRun, intents: ReadonlyMap<HistoryRun, Intent>): string {
  const told = [...intents].find(([one, { startedAt }]) => {
    return startedAt !== undefined && one.startedAt === run.startedAt;
  });
  return told?.[1].startedAt ?? new Date(run.startedAt).toISOString();
}

async function* rowsOf(
  intent: () => Pages<RunLine>,
  aside: () => Pages<Entry>,
  there: () => Pages<Entry>,
  held: (() => Pages<Entry>) | undefined,
): Pages<Row> {
  async function* known(): Pages<Pick<Row, "path" | "planned" | "aside">> {
    for await (const page of merge(intent(), aside()))
      yield page.flatMap(([planned, old]) => {
        const path = planned?.path ?? old?.path;
        return path === undefined ? [] : [{ path, planned, aside: old }];
      });
  }
  for await (const page of merge(known(), placed(there(), held?.())))
    yield page.flatMap(([row, now]): Row[] => {
      if (row !== undefined) return [{ ...row, there: now?.there, isNew: now?.isNew === true }];
      if (now?.isNew !== true) return [];
      return [{ ...now, planned: undefined, aside: undefined }];
    });
}

/** What is there, and whether it is sure that it was not before. */
async function* placed(
  there: Pages<Entry>,
  held: Pages<Entry> | undefined,
): Pages<Pick<Row, "path" | "there" | "isNew">> {
  for await (const page of merge(there, held ?? noPages()))
    yield page.flatMap(([now, before]) => {
      if (now === undefined) return [];
      return [{ path: now.path, there: now, isNew: held !== undefined && before === undefined }];
    });
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
  const { path, planned, aside, there, isNew } = row;
  if (isHole(row)) return [];
  if (aside !== undefined && there === undefined)
    return [{ path, kind: "delete", size: aside.size, time: aside.time, uncertain: true }];
  if (there === undefined) return [];
  const { size, time } = there;
  if (aside !== undefined) return [{ path, kind: "change", size, time, uncertain: true }];
  if (planned === undefined && isNew) return [{ path, kind: "add", size, time, uncertain: true }];
  if (planned === undefined || planned.kind === "delete") return [];
  // Where nothing was, an rclone that is killed may leave a cut file: it came with this run all the same.
  if (planned.kind !== "add" && !alike(planned, there)) return [];
  // What had been there would lie aside: only its time was set.
  const kind = planned.kind === "change" ? "touch" : planned.kind === "back" ? planned.kind : "add";
  return [{ path, kind, size, time, uncertain: true }];
}
