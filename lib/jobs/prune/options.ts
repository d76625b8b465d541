import type { Outcome } from "../../errors.ts";
import type { Applied } from "../../retention/apply.ts";
import type { Decision } from "../../retention/plan.ts";
import type { Transactions } from "../../stores/store.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { Unnamed } from "../unnamed.ts";

/** What becomes of one version of a file, and which policy says so. */
export interface FileDecision extends Decision {
  readonly path: RawPath;
  readonly policy: string;
  /** `file:line` of the line of [retention] that chose the policy; undefined where none matched. */
  readonly line: string | undefined;
}

export interface PruneOptions {
  readonly dryRun: boolean;
  /** Removes every version but the current ones, whatever the policies say. */
  readonly purge: boolean;
  /** Only tells what becomes of the versions of these paths or globs; empty prunes. */
  readonly explain: readonly string[];
  /** Begins at the file with this path and ends before that one, in the store's order of names. */
  readonly startAt?: RawPath | undefined;
  readonly stopAt?: RawPath | undefined;
  readonly maxFiles?: number | undefined;
  readonly maxFailures?: number | undefined;
  /** Versions in one call of the store. */
  readonly batch?: number | undefined;
  readonly files: boolean;
  readonly unfinished: boolean;
  /** Goes on though the clock is not to be believed. */
  readonly allowClock: boolean;
  /** Set when what is pruned was named by its location: no configuration says what to keep. */
  readonly unnamed?: Unnamed | undefined;
  /** Doesn't tell lines of [retention] that can never match, or that matched nothing. */
  readonly quietLines?: boolean;
  /** Removals in their order, before they are made; with `explain`, every decision. */
  readonly onDecisions?: ((decisions: readonly FileDecision[]) => Promise<void>) | undefined;
}

export interface PruneResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  /** By this clock ages are counted, RFC 3339. */
  readonly now: string;
  readonly seen: { readonly files: number; readonly versions: number };
  /** What the policies let go, up to `maxFiles`. */
  readonly planned: { readonly versions: number; readonly bytes: number };
  /** Undefined when nothing was to be removed: a dry run. */
  readonly applied: Applied | undefined;
  /** Uploads that were begun and never ended. */
  readonly unfinished: { readonly cancelled: number; readonly bytes: number };
  /** Versions under names that are not ours: left alone. */
  readonly undecodable: number;
  /** Whether `maxFiles` made an end before all of it. */
  readonly more: boolean;
  readonly transactions: Transactions;
  readonly message: string | undefined;
  readonly hint: string | undefined;
}
