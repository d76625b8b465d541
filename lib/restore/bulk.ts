import { join } from "node:path";
import { failed } from "../errors.ts";
import { LineSpool } from "../process/spool.ts";
import type { PlannedFile } from "./plan.ts";
import type { Tuning } from "../rclone/argv.ts";
import type { Stats } from "../rclone/log.ts";
import type { Features } from "../rclone/program.ts";
import { runRclone, type Rclone } from "../rclone/run.ts";
import { asGoWrites, type RawPath } from "../units/rawpath.ts";

/** A place from which rclone can copy versions, many at once, under the names they have in the backup. One object each. */
export interface BulkSource {
  /** As rclone is given it. */
  readonly location: string;
  /** What rclone needs in its environment to show the versions of a time. */
  readonly env: Readonly<Record<string, string>>;
}

/** One copy: a place, and a list of the paths to copy from it. */
export interface BulkCopy {
  readonly source: BulkSource;
  readonly list: string;
  /** Whether the files are copied to a place of their own first: see isApart. */
  readonly apart: boolean;
  /** Whether the times of all are known: a half file of the right size is then told from a whole one. */
  readonly timed: boolean;
}

/**
 * Whether a file can't be copied right to where it belongs: it gets another name than it has there, or
 * was deleted, so that others may be there by now whose directory has its name.
 */
export function isApart({ path, target, deleted }: PlannedFile): boolean {
  return path !== target || deleted;
}

/** The files to copy from each place. */
export class BulkLists {
  readonly #copies: { copy: BulkCopy; readonly spool: LineSpool }[] = [];
  /** Which copy there is from each source for files that go where they belong, and for those apart. */
  readonly #index = new Map<BulkSource, Partial<Record<"straight" | "apart", number>>>();
  readonly #scratch: string;

  constructor(scratch: string) {
    this.#scratch = scratch;
  }

  add(source: BulkSource, planned: PlannedFile): void {
    const timed = planned.version.stored.modifiedAt !== undefined;
    const known = this.#copies[this.indexOf(source, planned)];
    if (known !== undefined) {
      known.spool.write(planned.path);
      if (known.copy.timed && !timed) known.copy = { ...known.copy, timed };
      return;
    }
    const spool = new LineSpool(join(this.#scratch, `bulk-${this.#copies.length}`));
    const apart = isApart(planned);
    const copy = { source, list: spool.file, apart, timed };
    const indexes = this.#index.get(source);
    this.#index.set(source, { ...indexes, [apart ? "apart" : "straight"]: this.#copies.length });
    this.#copies.push({ copy, spool });
    spool.write(planned.path);
  }

  /** Which of the copies a file is in; -1 for none. */
  indexOf(source: BulkSource, planned: PlannedFile): number {
    return this.#index.get(source)?.[isApart(planned) ? "apart" : "straight"] ?? -1;
  }

  /** Ends writing and returns the copies. */
  close(): readonly BulkCopy[] {
    for (const { spool } of this.#copies) spool.close();
    return this.#copies.map(({ copy }) => copy);
  }
}

/** Larger files come in several streams, none of which is held against a checksum of the whole. */
const oneStream = 128 * 1024 * 1024;

/** Whether rclone held what it copied against the provider's checksum. */
export function isChecked(
  { bulkChecks }: { readonly bulkChecks: boolean },
  { version: { stored } }: PlannedFile,
): boolean {
  return bulkChecks && stored.hash !== undefined && stored.size < oneStream;
}

/** A private directory of this machine to copy to. */
export interface Staged extends Pick<Features, "inPlace"> {
  /** Whether nothing was in it when the restore began. */
  readonly fresh: boolean;
}

export interface CopyRequest {
  readonly source: BulkSource;
  /** A file of raw paths; undefined copies all that is there. */
  readonly list: string | undefined;
  readonly destination: string;
  /** Whether a file that is there already stays as it is. */
  readonly keepExisting: boolean;
  /** Whether a file that seems to be the same is copied all the same. */
  readonly anew?: boolean;
  /** Set for a private directory of this machine, where every file is looked at before it appears. */
  readonly staged?: Staged;
  readonly signal: AbortSignal;
  readonly onStats: (stats: Stats) => void;
}

/** What rclone said of files that it couldn't copy, by their path as it writes them in its log. */
export type Reasons = ReadonlyMap<string, string>;

/**
 * Copies files with one rclone. What couldn't be copied is no exception: whoever asked looks at what
 * is there. Throws when rclone can't start, and when the disk is full.
 */
export async function copyFiles(
  rclone: Rclone,
  tuning: Tuning,
  request: CopyRequest,
): Promise<Reasons> {
  const reasons = new Map<string, string>();
  let full: string | undefined;
  const { lastError, code } = await runRclone(
    { ...rclone, env: { ...rclone.env, ...request.source.env } },
    {
      args: copyArgs(request, tuning),
      signal: request.signal,
      onLog: ({ level, object, message, stats }) => {
        if (stats !== undefined) request.onStats(stats);
        if (level !== "error") return;
        if (/no space left|disk quota/i.test(message)) full = message;
        if (object !== undefined) reasons.set(object, message);
      },
    },
  );
  if (full !== undefined)
    throw failed(`${request.destination}: cannot write: the disk is full (${full})`, {
      hint: "make room there and run the command again: it goes on with what is there",
    });
  if (code !== 0 && reasons.size === 0 && lastError !== undefined) reasons.set("", lastError);
  return reasons;
}

/** What rclone said against one file: then what lies there is not to be trusted, whatever it looks like. */
export function reasonFor(reasons: Reasons, path: RawPath): string | undefined {
  return reasons.size === 0 ? undefined : reasons.get(asGoWrites(path));
}

function copyArgs(request: CopyRequest, tuning: Tuning): string[] {
  return [
    "copy",
    ...(request.list === undefined ? ["--fast-list"] : ["--files-from-raw", request.list]),
    ...(request.keepExisting ? ["--ignore-existing"] : []),
    ...(request.anew === true ? ["--ignore-times"] : []),
    ...(request.staged === undefined ? [] : stagedFlags(request.staged)),
    // rclone 1.60 leaves a file whose checksum was wrong, and takes it for good when it tries again.
    ...["--retries", "1"],
    // Names that differ only in their Unicode form are two files.
    "--no-unicode-normalization",
    ...(tuning.checkers === undefined ? [] : ["--checkers", String(tuning.checkers)]),
    ...(tuning.transfers === undefined ? [] : ["--transfers", String(tuning.transfers)]),
    ...(tuning.bwlimit === undefined ? [] : ["--bwlimit", tuning.bwlimit]),
    ...["--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE"],
    request.source.location,
    request.destination,
    ...tuning.flags,
  ];
}

/**
 * A temporary name and room set aside for each file cost a tenth of the time of small files. Nobody sees
 * a half file here: it lacks its size or time, and rclone copies it again.
 */
function stagedFlags({ inPlace, fresh }: Staged): string[] {
  return [
    "--local-no-preallocate",
    ...(inPlace === true ? ["--inplace"] : []),
    // Nothing there has to be looked at.
    ...(fresh ? ["--no-check-dest"] : []),
  ];
}
