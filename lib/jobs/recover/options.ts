import type { Outcome } from "../../errors.ts";
import type { FileHistory, FileVersion } from "../../history/history.ts";
import type { RawPath } from "../../units/rawpath.ts";

/** What to bring back. */
export type RecoverWish =
  /** Deleted files that exist below a local directory. */
  | { readonly kind: "local"; readonly exists: (file: FileHistory) => boolean }
  /** Files deleted at this time or later, milliseconds since 1970. */
  | { readonly kind: "deleted-since"; readonly since: number }
  /** The whole backup as it was at this time. */
  | { readonly kind: "as-of"; readonly time: number };

/** What has to be done to one file. */
export type RecoverStep =
  | { readonly action: "undelete"; readonly file: FileHistory; readonly version: FileVersion }
  | { readonly action: "restore"; readonly file: FileHistory; readonly version: FileVersion }
  | { readonly action: "hide"; readonly file: FileHistory };

export interface RecoverPlan {
  readonly undelete: number;
  readonly restore: number;
  readonly hide: number;
  /** Plain bytes of what is undeleted and restored. */
  readonly bytes: number;
}

export interface RecoverOptions {
  readonly wish: RecoverWish;
  readonly dryRun: boolean;
  /** Gets every step, before anything is done. */
  readonly onSteps: (steps: readonly RecoverStep[]) => Promise<void>;
  /** Asked once, with the whole plan, unless `dryRun`. */
  readonly confirm: (plan: RecoverPlan) => Promise<boolean>;
}

export interface RecoverFailure {
  readonly path: RawPath;
  readonly reason: string;
}

export interface RecoverResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly plan: RecoverPlan;
  readonly done: number;
  /** Not all that would fail: after so many it stops. */
  readonly failures: readonly RecoverFailure[];
  /** Whether backups are paused now. */
  readonly paused: boolean;
}
