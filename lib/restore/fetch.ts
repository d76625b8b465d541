import pMap from "p-map";
import { Failure, systemCode } from "../errors.ts";
import { keepMemorySmall } from "../process/heap.ts";
import { systemFromRaw } from "../units/encoding.ts";
import { isFinalCode, isImpossibleName } from "./local.ts";
import { fetchVersion, NameClash } from "./native.ts";
import type { PlannedFile } from "./plan.ts";
import type { PlanSpool } from "./spool.ts";
import type { RestoreWork } from "./work.ts";

/** How many versions are fetched at once: latency counts for small ones, memory for large ones. */
const atOnce = 8;
/** After so many failures with nothing between them, the store is gone, not the files. */
const hopeless = 20;

/** What of a restore is fetched by us, version by version. */
export interface FetchPlan {
  readonly work: Omit<RestoreWork, "plan">;
  readonly parts: string;
  /** The directory (as the system names it) below which the files go. */
  readonly into: string;
  /** Told of each file that is complete, and whether its stored bytes had the provider's checksum. */
  readonly onFetched: (file: PlannedFile, checked: boolean) => void;
  /** How progress is told. */
  readonly total: { readonly files: number; readonly bytes: number };
}

/**
 * Fetches versions that rclone can't. One that fails is told to the tally. Throws when going on makes no
 * sense: a full disk, a store that is gone, a signal.
 */
export async function fetchAll(plan: FetchPlan, files: PlanSpool): Promise<void> {
  for await (const page of files.read()) await fetchPage(plan, page);
}

/** As fetchAll, for files at hand. */
export async function fetchPage(plan: FetchPlan, page: readonly PlannedFile[]): Promise<void> {
  keepMemorySmall();
  const { work, parts, into, total } = plan;
  let inVain = 0;
  const fetchOne = async (planned: PlannedFile): Promise<void> => {
    work.signal.throwIfAborted();
    try {
      const checked = await fetchVersion({
        ...{ content: work.content, planned, parts, signal: work.signal },
        ...{ into, relative: systemFromRaw(planned.target) },
        onBytes: (count) => {
          work.tally.fetched(count);
          const { fetchedFiles: doneFiles, fetchedBytes: doneBytes } = work.tally;
          work.events.progress({
            ...{ stage: "restoring", doneFiles, doneBytes },
            ...{ totalFiles: total.files, totalBytes: total.bytes },
            ...{ rate: undefined, etaSeconds: undefined },
          });
        },
      });
      work.tally.fetchedFiles += 1;
      inVain = 0;
      plan.onFetched(planned, checked);
    } catch (error) {
      // The store is not to blame.
      if (!(error instanceof NameClash || isOfName(error))) inVain += 1;
      if (work.signal.aborted || inVain >= hopeless || isFinal(error)) throw error;
      work.tally.fail(planned.path, error instanceof Error ? error.message : String(error));
    }
  };
  await pMap(page, fetchOne, { concurrency: atOnce });
}

/** Whether the target can't hold a file of that name. */
function isOfName(error: unknown): boolean {
  const cause = error instanceof Failure ? error.cause : error;
  return isImpossibleName(systemCode(cause));
}

/** Whether the next file would fail for the same reason. */
function isFinal(error: unknown): boolean {
  if (error instanceof Failure && error.outcome !== "failed") return true;
  const cause = error instanceof Failure ? error.cause : error;
  return isFinalCode(systemCode(cause));
}
