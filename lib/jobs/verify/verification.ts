import type { Outcome } from "../../errors.ts";
import type { ManifestHeader } from "../../manifest/manifest.ts";
import type { Conditions } from "../../units/condition.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { CheckRequest } from "../../verify/check.ts";
import type { CheckFinding } from "../../verify/judge.ts";
import type { Session } from "../session.ts";
import type { StateFiles } from "../statefiles.ts";

export interface VerifyOptions {
  readonly conditions: Conditions;
  /** The same seed over the same files chooses the same. */
  readonly seed: number;
  readonly dryRun: boolean;
}

/** A file whose stored copy is not what the source holds. */
export interface Difference {
  readonly path: RawPath;
  readonly kind: CheckFinding["kind"];
  readonly reason: string | undefined;
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
  readonly dryRun: boolean;
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
}
