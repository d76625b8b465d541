import type { Readable } from "node:stream";
import { setImmediate as polled, setTimeout as sleep } from "node:timers/promises";

/** When nothing has come for so many milliseconds, all that the child itself wrote is here. */
const quietFor = 500;
/** So often it is waited for at most: what runs on in the background may talk for ever. */
const mostWaits = 4;

/**
 * Reads the output of a child that may leave something behind which holds that output open, such as a
 * daemon: when the child has ended, it is read on for a moment, then closed, and what runs on is left alone.
 */
export class OutputLeftBehind {
  readonly #streams: Readable[] = [];
  #chunks = 0;

  /** What the stream brings. It ends with the stream, or when that is closed here. */
  async *of(stream: Readable): AsyncGenerator<Uint8Array, void> {
    this.#streams.push(stream);
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        this.#chunks += 1;
        yield chunk;
      }
    } catch (error) {
      if (!isClosedEarly(error)) throw error;
    }
  }

  /** To be called when the child has ended. `readings` resolves when all its output has been read. */
  async close(readings: Promise<unknown>): Promise<void> {
    let isRead = false;
    const read = readings.then(() => (isRead = true));
    let before = -1;
    for (let wait = 0; wait < mostWaits && before !== this.#chunks; wait += 1) {
      before = this.#chunks;
      await Promise.race([read, sleep(quietFor, undefined, { ref: false })]);
      if (isRead) return;
      // A process that was held up gets what came meanwhile first, however late its timers are.
      await polled();
    }
    for (const stream of this.#streams) stream.destroy();
  }
}

function isClosedEarly(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE";
}
