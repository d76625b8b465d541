import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { readManifest } from "../../manifest/manifest.ts";
import type { FileEvent } from "../../manifest/outcome.ts";
import { merge, type Pages } from "../../manifest/pages.ts";
import type { RunLine } from "../../manifest/runs.ts";
import { storeRunManifest } from "../../stores/dir/leave.ts";
import { putBack } from "../../stores/dir/putback.ts";
import { howSetAside } from "../../stores/dir/setaside.ts";
import type { Change } from "../../manifest/changes.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { dirContext, putBackText } from "./history.ts";
import { warn, type Run, type RunHistory } from "./run.ts";
import type { Survey } from "./survey.ts";
import type { Synced } from "./synced.ts";

/**
 * Before the first file is moved: asks whether the store can move files, and leaves beside the dated
 * directories what is planned. A run that plans nothing asks and leaves nothing.
 */
export async function announce(run: Run, { planned, listing }: Survey): Promise<void> {
  const { history } = run;
  const { adds, changes, deletes, from } = planned.plan;
  if (history === undefined || adds.files + changes.files + deletes.files === 0) return;
  const context = dirContext(run, history);
  history.setAside = await howSetAside(context);
  if (run.options.dryRun) return;
  const lines = intentLines(planned.changes(), readListing(listing.file), planned.held(), from);
  await storeRunManifest(context, "intent", header(run, { full: false }), lines);
  history.intent = true;
}

/**
 * After the sync: moves back what was moved away and not uploaded, and leaves what really happened
 * beside the dated directories. Where nobody could know before what the destination held, that is
 * every file which it holds now. Throws when that can't be done, unless the sync failed before it.
 */
export async function tellOutcome(run: Run, synced: Synced): Promise<void> {
  const { history, session } = run;
  if (history === undefined) return;
  try {
    await settle(run, history, synced);
  } catch (error) {
    if (synced.failure === undefined || session.world.signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    warn(run, `${why}; the next run tries again to move back what this one had moved away`);
  }
}

async function settle(run: Run, history: RunHistory, synced: Synced): Promise<void> {
  const context = dirContext(run, history);
  const put = await putBack(context, run.id, leftAside(synced.events()));
  if (put.count > 0) warn(run, `history: after the failures of this run, ${putBackText(put)}`);
  const first = !history.runs.some(({ outcome }) => outcome);
  const full = synced.clean && (first || synced.seen.planned.plan.from === "dry run");
  if (!full && !history.intent && synced.eventCount === 0) return;
  const lines = outcomeLines(readManifest(run.files.manifest), synced.events(), full);
  await storeRunManifest(context, "outcome", header(run, { full }), lines);
}

function header(
  run: Run,
  { full }: { full: boolean },
): {
  run: string;
  startedAt: string;
  full: boolean;
  uncertain: boolean;
} {
  return { run: run.id, startedAt: run.startedAt.toISOString(), full, uncertain: false };
}

async function* intentLines(
  changes: Pages<Change>,
  listing: Pages<Entry>,
  held: Pages<Entry>,
  from: "manifest" | "dry run",
): Pages<RunLine> {
  async function* listed(): Pages<{ path: RawPath; change: Change; now: Entry | undefined }> {
    for await (const page of merge(changes, listing))
      yield page.flatMap(([change, now]) =>
        change === undefined ? [] : [{ path: change.path, change, now }],
      );
  }
  for await (const page of merge(listed(), held))
    yield page.flatMap(([row, before]): RunLine[] => {
      if (row === undefined) return [];
      const { path, size, kind } = row.change;
      if (kind === "delete") return [{ path, kind, size, time: before?.time ?? "" }];
      // A dry run does not tell new files from changed ones.
      const known = from === "dry run" ? "copy" : kind;
      return [{ path, kind: known, size, time: row.now?.time ?? "" }];
    });
}

/** What was moved away and neither replaced nor deleted. */
async function* leftAside(events: Pages<FileEvent>): Pages<RawPath> {
  for await (const page of events)
    yield page
      .filter(({ kind, aside }) => aside === true && (kind === "failed" || kind === "moved"))
      .map(({ path }) => path);
}

async function* outcomeLines(
  now: Pages<Entry>,
  events: Pages<FileEvent>,
  full: boolean,
): Pages<RunLine> {
  for await (const page of merge(now, events))
    yield page.flatMap(([entry, event]) => lineOf(entry, event, full));
}

function lineOf(entry: Entry | undefined, event: FileEvent | undefined, full: boolean): RunLine[] {
  if (event?.kind === "deleted") return [{ path: event.path, kind: "delete", size: -1, time: "" }];
  if (entry === undefined) return [];
  if (event?.came === true) return [{ ...entry, kind: "add" }];
  if (event?.kind !== "copied") return full ? [{ ...entry, kind: "held" }] : [];
  const kind = event.touched === true ? "touch" : event.aside === true ? "change" : "add";
  return [{ ...entry, kind }];
}
