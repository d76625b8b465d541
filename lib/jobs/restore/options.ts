import type { Pages } from "../../manifest/pages.ts";
import type { PlannedFile } from "../../restore/plan.ts";
import type { Count, RestoreFailure } from "../../restore/tally.ts";
import type { Outcome } from "../../errors.ts";

/** Which versions are meant. */
export interface VersionChoice {
  /** Paths and globs; none means everything. */
  readonly patterns: readonly string[];
  /** Undefined: now. */
  readonly asOf: Date | undefined;
  readonly allVersions: boolean;
  readonly includeDeleted: boolean;
}

export interface RestoreOptions extends VersionChoice {
  /** A directory, or a place that rclone writes to. */
  readonly target: string;
  readonly overwrite: boolean;
  readonly dryRun: boolean;
  /** Gets the files that a dry run would write. */
  readonly onPlan: (files: Pages<PlannedFile>) => Promise<void>;
}

/** A version of a file. */
export type ListedVersion = Pick<PlannedFile, "path" | "version">;

export interface ListOptions extends VersionChoice {
  /** Gets every version of the files that are meant; with `asOf`, those that a restore would write. */
  readonly onVersions: (versions: Pages<ListedVersion>) => Promise<void>;
}

export interface RestoreResult {
  readonly name: string;
  /** Without secrets. */
  readonly target: string;
  readonly asOf: Date | undefined;
  readonly dryRun: boolean;
  /** What the plan holds: that which is there already, and that which fails, included; files that the store has lost without their bytes. */
  readonly planned: Count;
  /** In a dry run: what would be written. */
  readonly restored: Count;
  readonly already: Count;
  readonly verified: Count;
  readonly unverified: Count;
  /** Files of which the store can't say for sure that they were so at the time. */
  readonly uncertain: number;
  /** Of which an older version was taken, since that of the time is no longer stored. */
  readonly outdated: number;
  /** The first of the failures; `failureCount` of them there were. */
  readonly failures: readonly RestoreFailure[];
  readonly failureCount: number;
  readonly outcome: Extract<Outcome, "done" | "partial">;
}
