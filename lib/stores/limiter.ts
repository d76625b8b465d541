import { Stopper } from "./stopper.ts";

/**
 * How many requests may be under way: few at first, one more for each that succeeds until the
 * server complains; half as many then, and after that growing by one a round.
 */
export class Limiter {
  #limit: number;
  #growing = true;
  /** One complaint a round counts: requests that were under way together are told alike. */
  #complained = false;
  #successes = 0;
  readonly #max: number;

  constructor(max: number, start = 2) {
    this.#max = max;
    this.#limit = Math.min(start, max);
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** The server said that it has enough (429, 503). */
  busy(): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#limit = Math.max(1, this.#limit / 2);
    this.#growing = false;
    this.#successes = 0;
  }

  #succeeded(): void {
    this.#complained = false;
    this.#successes += 1;
    if (!this.#growing && this.#successes < this.#limit) return;
    this.#successes = 0;
    this.#limit = Math.min(this.#max, this.#limit + 1);
  }

  /**
   * Does the work for every item, as many at once as allowed, results in the order of the items.
   * The first error stops what runs (by the signal that the work gets); it is thrown when all have
   * ended, so that nothing goes on behind the caller's back.
   */
  async map<T, R>(
    items: readonly T[],
    work: (item: T, signal: AbortSignal) => Promise<R>,
    signal?: AbortSignal,
  ): Promise<R[]> {
    const results: R[] = [];
    const running = new Set<Promise<void>>();
    const stopper = new Stopper(signal);
    let failure: { readonly error: unknown } | undefined;
    const one = async (item: T, at: number): Promise<void> => {
      try {
        results[at] = await work(item, stopper.signal);
        this.#succeeded();
      } catch (error) {
        failure ??= { error };
        stopper.stop(error);
      }
    };
    for (const [at, item] of items.entries()) {
      while (running.size >= this.limit) await Promise.race(running);
      if (stopper.signal.aborted) break;
      const task: Promise<void> = one(item, at).finally(() => running.delete(task));
      running.add(task);
    }
    await Promise.all(running);
    stopper.stop();
    if (failure !== undefined) throw failure.error;
    signal?.throwIfAborted();
    return results;
  }
}
