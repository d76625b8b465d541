import type { Tuning } from "./argv.ts";

/*
 * Arguments for work on the stored files themselves: the sync and its relatives are in argv.ts.
 * Names that differ only in their Unicode form stay two files here too.
 */

const log = ["--use-json-log", "--stats", "0", "-v"];

/** Exactly the files named in a list of raw paths, from one place to another. */
export interface TransferIntent {
  readonly from: string;
  readonly to: string;
  readonly filesFrom: string;
}

/** Moves exactly these files, on the server where it can, and never onto one that exists. */
export function moveBackArgs(intent: TransferIntent, tuning: Tuning): string[] {
  return ["move", "--ignore-existing", ...transfer(intent, tuning)];
}

/** Moves all of a directory to another one, but for what is there already. */
export function joinAsideArgs(from: string, to: string, tuning: Tuning): string[] {
  return [
    ...["move", "--ignore-existing", "--no-unicode-normalization", ...log, from, to],
    ...tuning.flags,
  ];
}

/** Removes a directory with all that is in it. */
export function purgeArgs(location: string, tuning: Tuning): string[] {
  return ["purge", ...log, location, ...tuning.flags];
}

/** Copies exactly these files, on the server where it can, whatever seems to be there. */
export function copyExactArgs(intent: TransferIntent, tuning: Tuning): string[] {
  return ["copy", "--ignore-times", ...transfer(intent, tuning)];
}

function transfer({ from, to, filesFrom }: TransferIntent, tuning: Tuning): string[] {
  return [
    ...["--files-from-raw", filesFrom, "--no-unicode-normalization", "--no-traverse"],
    ...(tuning.transfers === undefined ? [] : ["--transfers", String(tuning.transfers)]),
    ...(tuning.checkers === undefined ? [] : ["--checkers", String(tuning.checkers)]),
    ...(tuning.bwlimit === undefined ? [] : ["--bwlimit", tuning.bwlimit]),
    ...log,
    from,
    to,
    ...tuning.flags,
  ];
}

/** Deletes exactly the files named in a list of raw paths. */
export function deleteExactArgs(location: string, filesFrom: string, tuning: Tuning): string[] {
  return ["delete", "--files-from-raw", filesFrom, ...log, location, ...tuning.flags];
}

/** Removes the empty directories of a place, itself included; with a filter, those below it that pass. */
export function removeEmptyArgs(location: string, tuning: Tuning, filterFile?: string): string[] {
  const choice = filterFile === undefined ? [] : ["--leave-root", "--filter-from", filterFile];
  return ["rmdirs", ...choice, ...log, location, ...tuning.flags];
}

/** Copies one file to a name. */
export function copyOneArgs(from: string, to: string, tuning: Tuning): string[] {
  return ["copyto", "--ignore-times", ...log, from, to, ...tuning.flags];
}

export interface CatIntent {
  readonly location: string;
  /** A list of one raw path; a name in an argument could not have bytes that are not UTF-8. */
  readonly filesFrom: string;
  readonly offset: number;
  readonly count: number | undefined;
}

/** Writes a file's content to standard output, from byte `offset` on, at most `count` bytes. */
export function catArgs(intent: CatIntent, tuning: Tuning): string[] {
  return [
    ...["cat", "--files-from-raw", intent.filesFrom, "--use-json-log"],
    ...(intent.offset === 0 ? [] : ["--offset", String(intent.offset)]),
    ...(intent.count === undefined ? [] : ["--count", String(intent.count)]),
    intent.location,
    ...tuning.flags,
  ];
}

/** Lists what is right in a directory, directories with a slash at their end. */
export function topArgs(location: string, tuning: Tuning): string[] {
  return ["lsf", "--use-json-log", location, ...tuning.flags];
}

/** Asks what a remote can do. */
export function featuresArgs(location: string, tuning: Tuning): string[] {
  return ["backend", "features", "--use-json-log", location, ...tuning.flags];
}
