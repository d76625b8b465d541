import type { Outcome } from "../../errors.ts";
import { isUndone } from "../status/unverified.ts";
import type { Start } from "./child.ts";

/** What `rclone-backups run` was asked for. */
export interface NightOptions {
  /** Backups by name or file; those of the configuration directory when empty. */
  readonly names: readonly string[];
  readonly configDir: string | undefined;
  readonly set: readonly string[];
  readonly rcloneConfig: string | undefined;
  /** Runs the scheduled ones too that are not due. */
  readonly all: boolean;
  /** Runs only those that have a schedule and are due by it. */
  readonly due: boolean;
  /** How many at once; the setting JOBS when undefined. */
  readonly jobs: number | undefined;
  readonly dryRun: boolean;
  /** Reads back too, within the day's budget. */
  readonly verify: boolean;
  /** Options that each backup gets, such as -v. */
  readonly passed: readonly string[];
  readonly start: Start;
  /** A line that a backup wrote to standard error. */
  readonly onLine: (name: string, line: string) => void;
  /** A line that it wrote to standard output; in a dry run only. */
  readonly onResult: (name: string, line: string) => Promise<void>;
  /** What it is at, for a service manager. */
  readonly onStatus: (text: string) => void;
  /** Which other run it waits for. */
  readonly onWait: (text: string) => void;
}

/** What a verification of the night did. */
export interface NightVerification {
  readonly kind: "next" | "hash";
  readonly outcome: Outcome;
  readonly message: string | undefined;
  readonly finishedAt: string;
  /** Bytes that it was given. */
  readonly share: number;
  /**
   * Whether it told what it read back. If not, `bytes` and `transactions` are no more than what counts as
   * spent of the budget.
   */
  readonly isTold: boolean;
  readonly files: number;
  readonly bytes: number;
  readonly transactions: number;
  readonly differences: readonly NightFile[];
}

/**
 * The first verification that was not done, or not of all it should have been. What was found different
 * is no such thing, and neither is one that another run or a signal kept from being done.
 */
export function badVerification(
  verifications: readonly NightVerification[],
): NightVerification | undefined {
  return verifications.find(({ outcome }) => isUndone(outcome));
}

export interface NightFile {
  readonly path: string;
  readonly reason: string;
}

/** One backup of the night. */
export interface NightBackup {
  readonly name: string;
  readonly file: string;
  readonly outcome: Outcome;
  readonly result: "success" | "warning" | "failure" | "skipped";
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly message: string | undefined;
  readonly hint: string | undefined;
  readonly refusedPlan: string | undefined;
  readonly warnings: readonly string[];
  readonly failures: readonly NightFile[];
  readonly failureCount: number;
  readonly counts: NightCounts | undefined;
  readonly verifications: readonly NightVerification[];
  /** It was skipped for a scheduled time that it had been skipped for before. */
  readonly repeated: boolean;
}

interface Count {
  readonly files: number;
  readonly bytes: number;
}

/** What a backup planned and did, where it came so far. */
export interface NightCounts {
  readonly source: Count;
  readonly added: Count;
  readonly changed: Count;
  readonly deleted: Count;
  readonly transferred: Count;
}

export interface NightResult {
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly backups: readonly NightBackup[];
  /** Backups whose time has not come. */
  readonly notDue: readonly string[];
  /** What was read back by the budget, and what there is a day. */
  readonly verification: {
    readonly budget: number;
    readonly spentBefore: number;
    readonly spent: number;
  };
  /** Why the whole run did not go on. */
  readonly message: string | undefined;
  readonly hint: string | undefined;
}
