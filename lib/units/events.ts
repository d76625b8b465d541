/** Progress of long work; counts may grow while a listing is still going on. */
export interface Progress {
  readonly stage:
    | "listing"
    | "counting"
    | "syncing"
    | "verifying"
    | "mending"
    | "restoring"
    | "exporting"
    | "importing"
    | "splitting"
    | "joining"
    | "copying"
    | "preparing";
  readonly doneFiles: number;
  readonly totalFiles: number | undefined;
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  /** Bytes a second. */
  readonly rate: number | undefined;
  readonly etaSeconds: number | undefined;
}

/**
 * What a job tells while it runs. The library never prints: lib/output decides what reaches the
 * terminal. Texts may hold raw names; output escapes them.
 */
export interface Events {
  /** Something the user should see even in cron mail; the run goes on. */
  warn(text: string): void;
  /** Shown from verbosity `level` (1 = -v, 2 = -vv) on. */
  detail(level: 1 | 2, text: string): void;
  progress(progress: Progress): void;
}
