import type { Outcome } from "../../errors.ts";
import type { FinishedRun } from "../../state/runs.ts";
import type { Attempt, SuiteRecord } from "../../suite/record.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { AllVerified } from "../../verify/coverage.ts";
import type { Unverified } from "./unverified.ts";

/** What is to be said of a backup in one word; the first that holds. */
export const backupStates = [
  "broken",
  "paused",
  "never",
  "killed",
  "failed",
  "overdue",
  "differs",
  "refused",
  "partial",
  "skipped",
  "running",
  "warning",
  "good",
] as const;
export type BackupState = (typeof backupStates)[number];

/** Something that a reader should know of a backup; a note changes neither state nor exit code. */
export interface Remark {
  readonly kind:
    | "configuration"
    | "state"
    | "paused"
    | "never"
    | "killed"
    | "failed"
    | "overdue"
    | "differences"
    | "verification"
    | "refused"
    | "suppressed"
    | "skipped"
    | "running"
    | "clock"
    | "destination"
    | "warning"
    | "coverage";
  readonly text: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
}

export interface Count {
  readonly files: number;
  readonly bytes: number;
}

/** How much of what is stored was read back and compared. */
export interface Verified {
  readonly total: Count;
  readonly never: Count;
  /** Larger than what is read in a day, or can't be proved for another reason. */
  readonly uncoverable: Count;
  /** Shares from 0 to 1, of files and of bytes. */
  readonly within: readonly {
    readonly days: number;
    readonly files: number;
    readonly bytes: number;
  }[];
  readonly all: AllVerified;
  /** Of what was read back, the day of UTC on which the oldest of it last was. */
  readonly oldest: string | undefined;
  readonly hashAt: string | undefined;
}

/** What is known of one backup; times are RFC 3339. */
export interface BackupStatus {
  readonly name: string;
  /** Absolute path of its configuration. */
  readonly file: string;
  readonly state: BackupState;
  /** What it adds to the exit code. */
  readonly outcome: Outcome;
  /** Without secrets; undefined where the configuration can't be loaded and nothing ever ran. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** The last finished run, also one that was skipped. */
  readonly last: FinishedRun | undefined;
  readonly warnings: readonly string[];
  /** The last good run. */
  readonly good:
    | {
        readonly run: string;
        readonly finishedAt: string;
        readonly files: number;
        readonly bytes: number;
      }
    | undefined;
  /** A run that is going on. */
  readonly running: { readonly since: string; readonly command: string } | undefined;
  /** The newest runs, the oldest first. */
  readonly runs: readonly FinishedRun[];
  readonly schedule: { readonly cron: string; readonly timeZone: string | undefined } | undefined;
  readonly nextAt: string | undefined;
  readonly overdueSince: string | undefined;
  readonly attempt: Attempt | undefined;
  /** Verifications that could not be done, and that no later one makes up for. */
  readonly unverified: readonly Unverified[];
  /** Files that a verification found different and none has proved since. */
  readonly differences: readonly RawPath[];
  readonly guard: {
    readonly refused:
      | {
          readonly id: string;
          readonly at: string;
          readonly findings: readonly string[];
          /** Of the findings: which guards were against it. */
          readonly kinds: readonly string[];
        }
      | undefined;
    readonly suppressed: { readonly runs: number; readonly since: string } | undefined;
    readonly pausedSince: string | undefined;
    readonly clockDoubt: { readonly from: string; readonly to: string } | undefined;
    /** Whether the manifest says what the destination holds, so that the next guard needs no count. */
    readonly trusted: boolean | undefined;
  };
  readonly verified: Verified | undefined;
  /** First tried then, good by now, to be read back, and none of it ever was; RFC 3339. */
  readonly neverReadSince: string | undefined;
  readonly remarks: readonly Remark[];
}

/** What is known of all backups. */
export interface SuiteStatus {
  readonly at: string;
  readonly backups: readonly BackupStatus[];
  /** The last `rclone-backups run`. */
  readonly run: SuiteRecord["run"];
  /** Of the state of the whole. */
  readonly remarks: readonly Remark[];
  /** Names the exit code. */
  readonly outcome: Outcome;
}
