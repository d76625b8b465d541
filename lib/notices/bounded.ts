import { Failure, failed, interrupted } from "../errors.ts";
import type { SendOptions } from "./channel.ts";
import { shownTimeout } from "./channel.ts";

/** How long one attempt to send may take, in milliseconds. */
export const usualTimeout = 10_000;

/** What does not heed its signal, such as a file on a dead network disk, is left behind so much later. */
const patience = 2000;

export interface BoundOptions {
  /** Stops it before its time. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; ten seconds unless given. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Does something that may fail or hang, and returns within the time why it was not done, if it wasn't.
 * `what` begins the messages of what is not a Failure. Never throws.
 */
export async function bounded(
  what: string,
  work: (options: SendOptions) => Promise<void>,
  { signal, timeoutMs = usualTimeout }: BoundOptions,
): Promise<Failure | undefined> {
  const controller = new AbortController();
  const late = failed(
    `${what}: expected it to be done within ${shownTimeout(timeoutMs)}, found it still under way`,
  );
  const stop = (): void => controller.abort();
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  const timers = [setTimeout(() => controller.abort(late), timeoutMs)];
  const given = new Promise<never>((_resolve, reject) => {
    timers.push(setTimeout(() => reject(late), timeoutMs + patience));
  });
  try {
    controller.signal.throwIfAborted();
    await Promise.race([work({ signal: controller.signal, timeoutMs }), given]);
    return undefined;
  } catch (error) {
    if (signal?.aborted === true) return interrupted(`${what}: stopped`);
    if (error instanceof Failure) return error;
    return failed(`${what}: ${error instanceof Error ? error.message : "an error"}`, {
      cause: error,
    });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
