import { Readable } from "node:stream";
import type { HttpHeaders } from "./http.ts";
import type { Stopper } from "./stopper.ts";

/** An answer whose body has yet to come. */
export interface Opened {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly source: Readable;
}

/**
 * A body that goes on with another answer when one breaks off: `again` gets the number of bytes that
 * came, how often in a row none came, and why.
 */
export async function* resumed(
  first: Opened,
  again: (received: number, attempt: number, error: unknown) => Promise<Opened>,
): AsyncGenerator<Buffer, void> {
  let received = 0;
  let attempt = 0;
  let source = first.source;
  for (;;) {
    try {
      for await (const chunk of chunks(source)) {
        received += chunk.length;
        attempt = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      source = (await again(received, attempt, error)).source;
      attempt += 1;
    }
  }
}

/** The chunks of a body read without an encoding. */
export function chunks(source: Readable): AsyncIterable<Buffer> {
  return source as AsyncIterable<Buffer>;
}

/** Whether an answer to a request for the rest speaks of the same bytes to the same end. */
export function continues(first: Opened, next: Opened): boolean {
  const end = endOf(first);
  return next.status === 206 && (end === undefined || endOf(next) === end);
}

/** Where a body ends: the number of its last byte in the file. */
function endOf({ status, headers }: Opened): number | undefined {
  if (status === 206) {
    const last = /^bytes \d+-(\d+)\//.exec(headers["content-range"] ?? "")?.[1];
    return last === undefined ? undefined : Number(last);
  }
  const length = headers["content-length"];
  return length === undefined ? undefined : Number(length) - 1;
}

/** A stream of these chunks; to destroy it aborts what it waits for, so that it never lingers. */
export function readable(source: AsyncGenerator<Buffer, void>, stopper: Stopper): Readable {
  const stream: Readable = new Readable({
    read: () => void next(),
    destroy: (error, tell) => void end(error, tell),
  });
  return stream;

  async function next(): Promise<void> {
    try {
      const { done, value } = await source.next();
      stream.push(done === true ? null : value);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error("broken off", { cause: error }));
    }
  }

  async function end(error: Error | null, tell: (error: Error | null) => void): Promise<void> {
    stopper.stop();
    try {
      await source.return();
    } catch {
      // The stream has an error of its own to tell, or nobody listens any more.
    }
    tell(error);
  }
}
