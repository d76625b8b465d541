import type { Outcome } from "../errors.ts";
import type { SyncPlan } from "../guard/plan.ts";
import type { RawPath } from "../units/rawpath.ts";

export interface FileFailure {
  readonly path: RawPath;
  readonly reason: string;
}

/** What the nightly prune removed. */
export interface Pruned {
  /** Old versions and markers. */
  readonly versions: number;
  /** Bytes of them, as stored. */
  readonly bytes: number;
  /** Versions that could not be removed. */
  readonly failures: number;
  /** Unfinished uploads that were cancelled. */
  readonly unfinished: number;
}

/** The one result of a backup: exit code, state, hooks and reports all tell the same. */
export interface BackupResult {
  readonly name: string;
  readonly run: string;
  readonly result: "success" | "warning" | "failure" | "skipped";
  /** Names the exit code. */
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** What was planned; undefined when the run ended before it had a plan. */
  readonly plan: SyncPlan | undefined;
  readonly transferred: { readonly files: number; readonly bytes: number };
  readonly deleted: number;
  /** Confirmed differences that were uploaded again and verified. */
  readonly mended: number;
  /** Undefined where none was asked for, the backup was no success, or an error ended it. */
  readonly pruned: Pruned | undefined;
  /** The first of the files that failed, and how many there were. */
  readonly failures: readonly FileFailure[];
  readonly failureCount: number;
  readonly warnings: readonly string[];
  /** Set when the run is not done: what was expected, what was found. */
  readonly message: string | undefined;
  readonly hint: string | undefined;
  /** Set when the plan was refused: names it in --allow-refused-plan. */
  readonly refusedPlan: string | undefined;
}
