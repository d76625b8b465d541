import pMap from "p-map";
import type { Tuning } from "../rclone/argv.ts";
import type { Stats } from "../rclone/log.ts";
import { copyFiles, type BulkCopy, type Reasons } from "./bulk.ts";
import type { PlanSpool } from "./spool.ts";
import type { RestoreWork } from "./work.ts";

/** Starting takes rclone a while, and so does looking up what is in its list before the first byte comes. */
const atOnce = 3;

/** One copy to a directory of this machine. */
export interface LocalCopy extends Pick<BulkCopy, "source" | "timed"> {
  /** Undefined copies all that is there. */
  readonly list: string | undefined;
  readonly destination: string;
  /** Whether nothing was there when the restore began. */
  readonly fresh: boolean;
}

/**
 * Lets rclone copy from several places to this machine, some of them at once: no two may write the same
 * file. Returns what was said of the files of each. When one throws, the others are stopped, and that is thrown.
 */
export async function copyLocally(
  work: Pick<RestoreWork, "rclone" | "features" | "tuning" | "signal" | "events">,
  copies: readonly LocalCopy[],
  total: Pick<PlanSpool, "files" | "bytes">,
): Promise<readonly Reasons[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([work.signal, stop.signal]);
  const progress = new Map<number, Stats>();
  let first: unknown;
  const copyOne = async ({ timed, fresh, ...copy }: LocalCopy, at: number): Promise<Reasons> => {
    if (stop.signal.aborted) return noReasons;
    const staged = { fresh, inPlace: timed && work.features.inPlace === true };
    try {
      const reasons = await copyFiles(work.rclone, work.tuning, {
        ...{ ...copy, keepExisting: false, staged, signal },
        onStats: (stats) => {
          progress.set(at, stats);
          tellProgress(work, [...progress.values()], total);
        },
      });
      const last = progress.get(at);
      if (last !== undefined) progress.set(at, { ...last, speed: 0 });
      return reasons;
    } catch (error) {
      // What the others throw then is only that they were stopped.
      if (!stop.signal.aborted) first = error;
      stop.abort();
      return noReasons;
    }
  };
  const concurrency = isLimited(work.tuning) ? 1 : atOnce;
  const told = await pMap(copies, copyOne, { concurrency });
  if (stop.signal.aborted) throw first;
  return told;
}

const noReasons: Reasons = new Map();

/** Limits are for one rclone: two would take twice as much. */
function isLimited({ transfers, bwlimit, flags }: Tuning): boolean {
  return transfers !== undefined || bwlimit !== undefined || flags.length > 0;
}

function tellProgress(
  { events }: Pick<RestoreWork, "events">,
  all: readonly Stats[],
  total: Pick<PlanSpool, "files" | "bytes">,
): void {
  const sum = (of: (stats: Stats) => number): number =>
    all.reduce((before, stats) => before + of(stats), 0);
  const speed = sum((stats) => stats.speed);
  const doneBytes = sum(({ bytes }) => bytes);
  events.progress({
    ...{ stage: "restoring", doneFiles: sum(({ transfers, checks }) => transfers + checks) },
    ...{ doneBytes, totalFiles: total.files, totalBytes: total.bytes },
    rate: speed > 0 ? speed : undefined,
    etaSeconds: speed > 0 ? Math.max(0, total.bytes - doneBytes) / speed : undefined,
  });
}
