import { at, isOutdated, perhapsAt } from "../history/at.ts";
import type { FileHistory, FileVersion } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";

/** Which versions to restore. */
export interface RestoreChoice {
  /** Milliseconds since 1970; versions that came later are left out. Undefined: what is there now. */
  readonly asOf: number | undefined;
  /** Every version up to then, each under a name of its own, instead of what was there then. */
  readonly allVersions: boolean;
  /** Also files that were deleted by then: the last version of each. */
  readonly includeDeleted: boolean;
  /** Told of a file that is left out though it may have been there: the store can't say when it was deleted. */
  readonly onPerhaps?: (path: RawPath) => void;
}

/** One file to write. */
export interface PlannedFile {
  /** As the backup names it. */
  readonly path: RawPath;
  /** Below the target. */
  readonly target: RawPath;
  readonly version: FileVersion;
  /** Whether the file was deleted at the time that was asked for. */
  readonly deleted: boolean;
  /** Whether the store can't tell for sure that this was the version of that time. */
  readonly uncertain: boolean;
  /** Whether it had ended by then, and what came next is no longer stored. */
  readonly outdated: boolean;
}

/**
 * Says which version of which file goes where. Pure: a dry run shows these pages, and a restore
 * writes them. Memory is that of one page.
 */
export async function* planRestore(
  histories: Pages<FileHistory>,
  choice: RestoreChoice,
): Pages<PlannedFile> {
  for await (const page of histories) {
    const planned = page.flatMap((history) => planFile(history, choice));
    if (planned.length > 0) yield planned;
  }
}

/** What of one file is to be written. */
function planFile(history: FileHistory, choice: RestoreChoice): PlannedFile[] {
  const { path, versions } = history;
  const asOf = choice.asOf ?? Infinity;
  const alive = choice.asOf === undefined ? history.current : at(history, choice.asOf);
  const deleted = alive === undefined;
  if (choice.allVersions) {
    const came = versions.filter(({ from }) => from <= asOf);
    const names = versionNames(path, came);
    return came.map((version, index) => ({
      ...{ path, target: names[index] ?? path, version },
      ...{ deleted, uncertain: false, outdated: false },
    }));
  }
  const last = choice.includeDeleted ? versions.find(({ from }) => from <= asOf) : undefined;
  const version = alive ?? last;
  if (version === undefined) {
    if (choice.asOf !== undefined && perhapsAt(history, asOf) !== undefined)
      choice.onPerhaps?.(path);
    return [];
  }
  // What is there now is no matter of times.
  const uncertain =
    choice.asOf !== undefined && (version.doubtful || version.stored.uncertain === true);
  const outdated = alive !== undefined && isOutdated(alive, asOf);
  return [{ path, target: path, version, deleted, uncertain, outdated }];
}

/**
 * `name-v2006-01-02-150405-678.ext` for each version, as rclone shows old versions: by the time in
 * UTC when each came. Two of the same millisecond are told apart by counting on.
 */
function versionNames(path: RawPath, versions: readonly FileVersion[]): RawPath[] {
  const slash = path.lastIndexOf("/");
  const dot = path.lastIndexOf(".");
  const end = dot > slash ? dot : path.length;
  let last = -Infinity;
  const oldestFirst = versions.toReversed().map(({ from }) => {
    last = Math.max(from, last + 1);
    const [date = "", clock = ""] = new Date(last).toISOString().split("T");
    const time = `${clock.slice(0, 8).replaceAll(":", "")}-${clock.slice(9, 12)}`;
    return rawFromBytes(`${path.slice(0, end)}-v${date}-${time}${path.slice(end)}`);
  });
  return oldestFirst.toReversed();
}
