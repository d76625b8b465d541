import type { Features } from "./program.ts";

/** What is asked of rclone, apart from how this rclone wants to be asked. */
export interface Tuning {
  readonly copyLinks: boolean;
  readonly transfers: number | undefined;
  readonly checkers: number | undefined;
  readonly bwlimit: string | undefined;
  /** Checked pass-through flags. They come last: one that lacks its value must not swallow ours. */
  readonly flags: readonly string[];
}

export interface ListIntent {
  readonly location: string;
  readonly filterFile?: string | undefined;
  /** The filter does not tell upper from lower case. */
  readonly anyCase?: boolean | undefined;
  /** Only files modified after this moment (RFC 3339). */
  readonly maxAge?: string | undefined;
  /** A file of raw paths: only these are listed, without reading directories. */
  readonly filesFrom?: string | undefined;
}

/** Flags that make two runs of rclone see the same files. */
function viewFlags(tuning: Tuning): string[] {
  return [
    tuning.copyLinks ? "--copy-links" : "--skip-links",
    // Names that differ only in their Unicode form are two files, and both belong in the backup.
    "--no-unicode-normalization",
    "--fast-list",
    ...(tuning.checkers === undefined ? [] : ["--checkers", String(tuning.checkers)]),
  ];
}

function choiceFlags(intent: {
  filterFile?: string | undefined;
  filesFrom?: string | undefined;
  maxAge?: string | undefined;
}): string[] {
  return [
    ...(intent.filterFile === undefined ? [] : ["--filter-from", intent.filterFile]),
    ...(intent.filesFrom === undefined ? [] : ["--files-from-raw", intent.filesFrom]),
    ...(intent.maxAge === undefined ? [] : ["--max-age", intent.maxAge]),
  ];
}

const log = ["--use-json-log"];

/** Lists files with path, size and time, one a line, fields separated by tabs. */
export function listArgs(intent: ListIntent, tuning: Tuning, features: Features): string[] {
  return [
    ...["lsf", "--recursive", "--files-only", "--format", "pst", "--separator", "\t"],
    ...(features.fineTimes ? ["--time-format", "RFC3339Nano"] : []),
    ...choiceFlags(intent),
    ...(intent.anyCase === true ? ["--ignore-case"] : []),
    ...viewFlags(tuning),
    ...log,
    intent.location,
    ...tuning.flags,
  ];
}

/** Lists files anywhere below a location, to see whether there is any. */
export function anyFileArgs(location: string, tuning: Tuning): string[] {
  return ["lsf", "--recursive", "--files-only", ...log, location, ...tuning.flags];
}

export interface SyncIntent {
  readonly source: string;
  readonly destination: string;
  readonly filterFile: string;
  /** The most deletions that rclone may do; undefined lets it do without the limit. */
  readonly maxDelete: number | undefined;
  /** Where what is replaced and deleted is moved to; undefined where it is not kept that way. */
  readonly backupDir?: string | undefined;
  readonly dryRun: boolean;
  /** Seconds between two statistics. */
  readonly statsEvery: number;
}

/** The sync itself. Filtered files are deleted at the destination: it holds what the rules say. */
export function syncArgs(intent: SyncIntent, tuning: Tuning): string[] {
  return [
    "sync",
    ...["--filter-from", intent.filterFile, "--delete-excluded"],
    ...viewFlags(tuning),
    ...transferFlags(tuning),
    ...(intent.maxDelete === undefined ? [] : ["--max-delete", String(intent.maxDelete)]),
    ...(intent.backupDir === undefined ? [] : ["--backup-dir", intent.backupDir]),
    ...(intent.dryRun ? ["--dry-run"] : []),
    ...log,
    ...["--stats", `${intent.statsEvery}s`, "-v"],
    intent.source,
    intent.destination,
    ...tuning.flags,
    ...onceFlags(intent),
  ];
}

/**
 * A second attempt would move files onto what the first has set aside, so each is a call of its own; a flag of the
 * user's does not change that.
 */
function onceFlags({ backupDir }: Pick<SyncIntent, "backupDir">): string[] {
  return backupDir === undefined ? [] : ["--retries", "1"];
}

function transferFlags(tuning: Tuning): string[] {
  return [
    ...(tuning.transfers === undefined ? [] : ["--transfers", String(tuning.transfers)]),
    ...(tuning.bwlimit === undefined ? [] : ["--bwlimit", tuning.bwlimit]),
  ];
}

export interface CheckIntent {
  readonly source: string;
  readonly destination: string;
  /** `download` reads the content back; `hash` compares the provider's checksums through crypt; `plain-hash` without crypt. */
  readonly kind: "download" | "hash" | "plain-hash";
  readonly filterFile?: string | undefined;
  readonly maxAge?: string | undefined;
  readonly filesFrom?: string | undefined;
  /** File that takes one line per file: `=` same, `*` differs, `+` missing at the destination, `!` error. */
  readonly combined: string;
  readonly statsEvery: number;
}

/** Compares the source with what the destination holds. */
export function checkArgs(intent: CheckIntent, tuning: Tuning): string[] {
  return [
    ...(intent.kind === "hash" ? ["cryptcheck"] : ["check"]),
    ...(intent.kind === "download" ? ["--download"] : []),
    ...["--one-way", "--combined", intent.combined],
    ...choiceFlags(intent),
    ...viewFlags(tuning),
    ...transferFlags(tuning),
    ...log,
    ...["--stats", `${intent.statsEvery}s`],
    intent.source,
    intent.destination,
    ...tuning.flags,
  ];
}

/** Exactly the files named in a list of raw paths. */
export interface AgainIntent extends Pick<
  SyncIntent,
  "source" | "destination" | "backupDir" | "statsEvery"
> {
  readonly filesFrom: string;
}

/** Uploads exactly the files named again, whatever the destination seems to hold. */
export function againArgs(intent: AgainIntent, tuning: Tuning): string[] {
  return [
    ...["copy", "--ignore-times", "--files-from-raw", intent.filesFrom],
    ...viewFlags(tuning),
    ...transferFlags(tuning),
    ...(intent.backupDir === undefined ? [] : ["--backup-dir", intent.backupDir]),
    ...log,
    ...["--stats", `${intent.statsEvery}s`, "-v"],
    intent.source,
    intent.destination,
    ...tuning.flags,
    ...onceFlags(intent),
  ];
}
