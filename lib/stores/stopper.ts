/**
 * A signal of one piece of work, which follows another signal as long as the work lasts. Unlike
 * AbortSignal.any it leaves nothing behind on a signal that outlives a million of them.
 */
export class Stopper {
  readonly #controller = new AbortController();
  readonly #unfollow: () => void;

  constructor(outer?: AbortSignal) {
    const follow = (): void => this.#controller.abort(outer?.reason);
    this.#unfollow = () => outer?.removeEventListener("abort", follow);
    if (outer?.aborted === true) follow();
    else outer?.addEventListener("abort", follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops the work, or marks its end: what still runs of it is aborted. */
  stop(reason?: unknown): void {
    this.#unfollow();
    this.#controller.abort(reason);
  }
}
