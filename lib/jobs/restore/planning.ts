import { failed } from "../../errors.ts";
import type { FileHistory } from "../../history/history.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { PlannedFile } from "../../restore/plan.ts";
import type { PlanSpool } from "../../restore/spool.ts";
import type { Tally } from "../../restore/tally.ts";
import { readRecord } from "../../state/record.ts";
import type { LostFile } from "../../stores/dir/lost.ts";
import { formatFiles } from "../../units/format.ts";
import { nothingLeft } from "../nothingleft.ts";
import type { OpenHistory } from "../openhistory.ts";
import { Doubts } from "./doubts.ts";
import type { RestoreOptions } from "./options.ts";
import { makeSelection } from "./select.ts";
import type { HistoryView } from "./view.ts";

interface Planning {
  readonly history: OpenHistory;
  readonly options: RestoreOptions;
  readonly view: HistoryView;
}

/** What the files that are meant have come to, counted while the plan passes. */
interface Seen {
  /** When the first of them was stored. */
  earliest: number;
  current: number;
  deleted: number;
  /** Neither there nor known to be deleted. */
  absent: number;
  /** Runs left them at the destination, by the time that is asked for, and they are not there. */
  lost: number;
  /** A run that was cut off left perhaps a part of them. */
  half: number;
}

/**
 * Writes down what will be restored, and tells what is strange about it; what should be there and isn't
 * fails. Throws a Failure where nothing is found, or nothing is left of what the last run left.
 */
export async function makePlan(given: Planning, plan: PlanSpool, tally: Tally): Promise<void> {
  const { history, options, view } = given;
  const { signal, events } = history.session.world;
  const selection = await makeSelection(options.patterns);
  const seen: Seen = { earliest: Infinity, current: 0, deleted: 0, absent: 0, lost: 0, half: 0 };
  const isBelieved = await believesRuns(history);
  const onLost = ({ path, since }: LostFile): void => {
    if (options.asOf !== undefined && (since ?? Infinity) > options.asOf.getTime()) return;
    if (!selection.matches(path)) return;
    seen.lost += 1;
    if (isBelieved) tally.miss(path, lostText(since));
  };
  const histories = view.histories(selection.directory, onLost);
  const doubts = new Doubts(options);
  for await (const page of doubts.plan(watch(selection.select(histories), seen))) {
    signal.throwIfAborted();
    for (const planned of page) {
      const half = options.allVersions ? undefined : halfText(planned);
      if (half === undefined) plan.write(planned);
      else {
        seen.half += 1;
        tally.miss(planned.path, half);
      }
    }
  }
  plan.close();
  tally.uncertain = doubts.uncertain;
  tally.outdated = doubts.outdated.count;
  view.report();
  selection.demand(view.place);
  doubts.tell(events, view.place, "--list shows the versions");
  await tellCut(given);
  if (seen.lost > 0 && !isBelieved)
    events.warn(
      `${formatFiles(seen.lost)}: left at the destination by backups, and not there; something other than a backup has changed it since the last one`,
    );
  if (plan.files === 0) await tellNothing(given, seen);
}

/** What is against a file of which a run that was cut off may have written a part only. */
function halfText({ version: { stored, size, from } }: PlannedFile): string | undefined {
  if (stored.meant === undefined) return undefined;
  const before = new Date(from - 1).toISOString();
  return `expected the ${stored.meant} bytes that the last run was about to store, found ${size}: it was cut off; --as-of ${before} restores what was there before it, --all-versions this too`;
}

async function tellCut({ history, options }: Planning): Promise<void> {
  const { signal, events } = history.session.world;
  const cut = (await history.dir?.cutRuns(signal)) ?? [];
  const ids = cut
    .filter(({ time }) => options.asOf === undefined || time <= options.asOf.getTime())
    .map(({ id }) => id);
  if (ids.length > 0)
    events.warn(
      `run ${ids.join(", ")} was cut off, and no later one has put that right: each file is as it was before that run or after it`,
    );
}

/** What was changed by something other than a backup since the last one, runs tell nothing of. */
async function believesRuns({ files }: OpenHistory): Promise<boolean> {
  const { record } = await readRecord(files.record, { setAside: false });
  return record === undefined || record.trusted;
}

function lostText(since: number | undefined): string {
  const by =
    since === undefined ? "the last backup" : `the backup of ${new Date(since).toISOString()}`;
  return `expected at the destination what ${by} left there, found nothing`;
}

async function tellNothing({ history, options, view }: Planning, seen: Seen): Promise<void> {
  // In other stores than dated directories, what was there at a time is there whatever was deleted since.
  if (seen.current === 0 && (options.asOf === undefined || history.dir !== undefined)) {
    const wrong = await nothingLeft(history, seen.lost);
    if (wrong !== undefined)
      throw failed(wrong, {
        hint: "see that its disk is mounted and that it is the right remote; --include-deleted restores what older versions there are",
      });
  }
  if (seen.lost + seen.half > 0) return;
  if (options.asOf !== undefined && seen.earliest > options.asOf.getTime())
    throw failed(
      `${view.place}: expected files that were stored by ${options.asOf.toISOString()}, found the first of ${new Date(seen.earliest).toISOString()}`,
      { hint: "--list shows the versions and their times" },
    );
  const parts = [
    ...(seen.deleted > 0 ? [`${formatFiles(seen.deleted)} had been deleted by then`] : []),
    ...(seen.absent > 0
      ? [`${formatFiles(seen.absent)} missing, and nobody can say since when`]
      : []),
  ];
  history.session.world.events.warn(
    `nothing to restore: ${parts.join(", ")}; --include-deleted restores the last version of each`,
  );
}

async function* watch(histories: Pages<FileHistory>, seen: Seen): Pages<FileHistory> {
  for await (const page of histories) {
    for (const { versions, current, entries } of page) {
      seen.earliest = Math.min(seen.earliest, versions.at(-1)?.from ?? Infinity);
      const [newest] = entries;
      if (current !== undefined) seen.current += 1;
      else if (newest?.kind === "marker" && newest.doubtful !== true) seen.deleted += 1;
      else seen.absent += 1;
    }
    yield page;
  }
}
