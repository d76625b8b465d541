import type { Outcome } from "../../errors.ts";
import type { ManifestHeader } from "../../manifest/manifest.ts";
import type { Conditions } from "../../units/condition.ts";
import type { Count } from "../../units/count.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { CheckRequest } from "../../verify/check.ts";
import type { Coverage } from "../../verify/coverage.ts";
import type { CheckFinding } from "../../verify/judge.ts";
import type { NightlyBudget } from "../../verify/next.ts";
import type { Session } from "../session.ts";
import type { StateFiles } from "../statefiles.ts";

export interface VerifyOptions {
  readonly conditions: Conditions;
  /** The same seed over the same files chooses the same. */
  readonly seed: number;
  readonly dryRun: boolean;
  /** Chooses by the ledger within this budget; conditions and seed don't count then. */
  readonly next?: NightlyBudget | undefined;
}

/** A file whose stored copy is not what the source holds. */
export interface Difference {
  readonly path: RawPath;
  readonly kind: CheckFinding["kind"];
  readonly reason: string | undefined;
}

/** Files of the backup that are not in the source any more: they can't be compared with anything. */
export interface Gone extends Count {
  /** How many the backup holds. */
  readonly of: number;
  /** So many that a backup would refuse to delete them: the source may not be mounted. */
  readonly suspicious: boolean;
}

export interface VerifyResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly seed: number;
  /** Files that the filters and the age let through: what percentages are of. */
  readonly pool: { readonly files: number; readonly bytes: number };
  readonly chosen: { readonly files: number; readonly bytes: number };
  readonly verified: { readonly files: number; readonly bytes: number };
  /** Confirmed: the source is as it was backed up, and the destination is not. */
  readonly differences: readonly Difference[];
  /** Could not be compared: nothing is proved of these, right or wrong. */
  readonly errors: readonly Difference[];
  /** Changed or new since the last backup: neither proved nor wrong. */
  readonly changed: readonly RawPath[];
  /** Undefined where nothing tells of them: with an age, by the ledger, and without a manifest. */
  readonly gone: Gone | undefined;
  readonly dryRun: boolean;
  /** Of a verification by the ledger. */
  readonly next: NextResult | undefined;
}

/** What a verification by the ledger took of its budget, and what is covered now. */
export interface NextResult {
  readonly spent: Count & { readonly transactions: number };
  /** Large files of which a part was chosen. */
  readonly ranges: readonly {
    readonly path: RawPath;
    readonly offset: number;
    readonly bytes: number;
    readonly size: number;
  }[];
  /** Undefined where nothing was written down, as in a dry run. */
  readonly coverage: Coverage | undefined;
}

/** What every step of one verification knows. */
export interface Verification {
  readonly session: Session;
  readonly options: VerifyOptions;
  readonly files: StateFiles;
  readonly scratch: string;
  readonly filterFile: string;
  readonly kind: CheckRequest["kind"];
  /** Undefined when no manifest tells what was backed up from this source. */
  readonly manifest: ManifestHeader | undefined;
  /** The manifest says what the destination holds under these settings. */
  readonly trusted: boolean;
}
