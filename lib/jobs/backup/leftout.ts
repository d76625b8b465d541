import { unchanged, type Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { joinEvents, pairs, type FileEvent } from "../../manifest/outcome.ts";
import { merge, onePage } from "../../manifest/pages.ts";
import { childrenRules } from "../../rclone/exact.ts";
import { listExactly, listPlace } from "../../stores/dir/listplace.ts";
import { asGoWrites, type RawPath } from "../../units/rawpath.ts";
import { writeRules } from "../filterfile.ts";
import type { FileFailure } from "../result.ts";
import type { Planned } from "./planning.ts";
import { listContext, type Run } from "./run.ts";
import type { Survey } from "./survey.ts";
import type { SyncOutcome } from "./sync.ts";

/** Files that the source has and the destination has not, after a sync that ended without an error. */
export interface LeftOut {
  readonly count: number;
  /** The first of them. */
  readonly failures: readonly FileFailure[];
  /** What that and what vanished meanwhile mean for the manifest. */
  readonly events: readonly FileEvent[];
}

export const nothingLeftOut: LeftOut = { count: 0, failures: [], events: [] };

const keptFailures = 1000;

/**
 * Looks for files of which a clean sync told nothing though they should have been new: where names differ in upper
 * and lower case only and the destination can't tell them apart, rclone copies one of them and ends without an error.
 * So the silence about a new file counts only if the destination lists its name. Throws when either end can't be listed.
 */
export async function findLeftOut(
  run: Run,
  planned: Planned,
  seen: Survey,
  done: readonly SyncOutcome[],
): Promise<LeftOut> {
  const named = new Set(done.flatMap(({ leftOut }) => leftOut));
  const { from, adds, changes } = planned.plan;
  const copied = done.reduce((sum, one) => sum + one.copied.files, 0);
  const isMissed = from === "manifest" && copied < adds.files + changes.files;
  // Nearly always: nothing is read again then.
  if (named.size === 0 && !isMissed) return nothingLeftOut;
  const told = joinEvents(done.map(({ events }) => events));
  const known = pairs(planned.held(), readListing(seen.listing.file));
  const wanted: { before: Entry | undefined; now: Entry; path: RawPath }[] = [];
  for await (const page of merge(known, told))
    for (const [pair, event] of page) {
      if (pair?.now === undefined || event !== undefined) continue;
      const { before, now } = pair;
      const isNew = from === "manifest" && before === undefined;
      if (isNew || (named.size > 0 && isBelow(asGoWrites(now.path), named)))
        wanted.push({ before, now, path: now.path });
    }
  if (wanted.length === 0) return nothingLeftOut;
  const paths = wanted.map(({ path }) => path);
  const here = await listExactly(listContext(run), "untold", run.session.source, paths, "source");
  const there = await storedFrom(run, seen, new Set(here.keys()));
  const missing = wanted.filter(({ path }) => !there.has(path));
  const isTwin = (path: RawPath): boolean => isBelow(asGoWrites(path), named);
  // One that is other than it was listed may not have been there when rclone looked.
  const failed = missing.filter(({ path, now }) => {
    const still = here.get(path);
    return still !== undefined && (isTwin(path) || unchanged(now, still));
  });
  return {
    count: failed.length,
    failures: failed.slice(0, keptFailures).map(({ path }) => ({
      path,
      reason: isTwin(path) ? twinReason : silentReason,
    })),
    events: missing.map(({ path, before }) => ({
      path,
      kind: before === undefined ? "failed" : "deleted",
    })),
  };
}

const twinReason =
  "rclone left it out: the destination does not tell upper from lower case, and another name of the source differs in nothing else; rename one of them";
const silentReason = "rclone told no error, and the destination does not list it";

/** Whether a path or a directory of it is among the names. */
function isBelow(path: string, names: ReadonlySet<string>): boolean {
  for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1))
    if (names.has(path.slice(0, end))) return true;
  return false;
}

/** Beyond so many directories all is listed: rclone tries every rule on every file. */
const mostRules = 1000;

/**
 * Those of the paths that the destination holds, by what its directories list: asked for by its name, a store that folds
 * case would show a file under any. One that was renamed in case alone it holds under its old name, which the source has
 * no more.
 */
async function storedFrom(
  run: Run,
  { listing }: Survey,
  paths: ReadonlySet<RawPath>,
): Promise<ReadonlySet<RawPath>> {
  if (paths.size === 0) return paths;
  const rules = childrenRules([...paths]);
  const choice =
    rules.length > mostRules
      ? {}
      : { filterFile: await writeRules(run.scratch, "untold.rules", rules), anyCase: true };
  const { destination } = run.session;
  const listed = await listPlace(listContext(run), "untold-there", destination, {
    ...choice,
    what: "destination",
  });
  const wanted = new Set([...paths].map(folded));
  const spellings = new Map<RawPath, boolean>();
  for await (const page of merge(listed(), readListing(listing.file)))
    for (const [held, now] of page)
      if (held !== undefined && wanted.has(folded(held.path)))
        spellings.set(held.path, now !== undefined);
  const old = new Set(
    [...spellings].filter(([, isListed]) => !isListed).map(([path]) => folded(path)),
  );
  return new Set([...paths].filter((path) => spellings.has(path) || old.has(folded(path))));
}

function folded(path: RawPath): string {
  return asGoWrites(path).toLowerCase();
}

/** The last sync of a run with what is known of the files that it left out. */
export function withLeftOut(last: SyncOutcome, { events }: LeftOut): SyncOutcome {
  if (events.length === 0) return last;
  return { ...last, events: () => joinEvents([last.events, () => onePage(events)]) };
}
