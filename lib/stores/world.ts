/** What a store that is reached over HTTP may use of the world; tests pass their own. */
export interface StoreWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** Milliseconds; rejects when the signal is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
