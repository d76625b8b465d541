import { join } from "node:path";
import type { Readable } from "node:stream";
import { writeScratch } from "../process/scratchfile.ts";
import type { Tuning } from "../rclone/argv.ts";
import { catArgs } from "../rclone/files.ts";
import { runRclone, type Rclone } from "../rclone/run.ts";
import type { RawPath } from "../units/rawpath.ts";
import { isDamage, type CheckFinding } from "./judge.ts";

export interface RangeRequest {
  readonly rclone: Rclone;
  readonly tuning: Tuning;
  readonly source: string;
  readonly destination: string;
  readonly path: RawPath;
  readonly size: number;
  readonly offset: number;
  readonly bytes: number;
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Told of every piece that was equal. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A range that is not equal, and how much of the stored file was read to see it. */
export interface RangeFinding extends CheckFinding {
  readonly taken: number;
}

/**
 * Reads a range of one file at both ends at once and compares them piece by piece; nothing is kept.
 * Returns what is not equal; undefined when it is. Throws only when it was stopped.
 */
export async function compareRange(request: RangeRequest): Promise<RangeFinding | undefined> {
  const { path, size, bytes, scratch, signal } = request;
  const list = join(scratch, "range");
  await writeScratch(list, `${path}\n`, "latin1");
  const source = new End(request, request.source, list);
  const destination = new End(request, request.destination, list);
  const comparing = compareEnds(source, destination, request);
  const [, , compared] = await Promise.all([
    source.run(comparing),
    destination.run(comparing),
    comparing,
  ]);
  signal.throwIfAborted();
  const finding = (kind: CheckFinding["kind"], reason?: string): RangeFinding => ({
    ...{ path, size, kind, reason, taken: Math.min(destination.taken, bytes) },
  });
  // Whoever was not stopped by us says more by its exit code than by what it wrote.
  if (destination.failure !== undefined)
    return finding(isDamage(destination.failure) ? "damaged" : "error", destination.failure);
  if (source.failure !== undefined) return finding("error", source.failure);
  if (!compared) return finding("differs");
  if (source.taken !== bytes && destination.taken === source.taken)
    return finding("error", "the source is not as long as it was");
  if (destination.taken === 0 && bytes > 0) return finding("missing");
  return destination.taken === source.taken ? undefined : finding("differs");
}

/** rclone reading one end. */
class End {
  /** Bytes that came. */
  taken = 0;
  /** What rclone said when it failed by itself. */
  failure: string | undefined;
  readonly #request: RangeRequest;
  readonly #location: string;
  readonly #list: string;
  readonly #enough = new AbortController();
  readonly #output: Promise<AsyncIterable<Uint8Array> | undefined>;
  #give: (output: AsyncIterable<Uint8Array> | undefined) => void = () => {};

  constructor(request: RangeRequest, location: string, list: string) {
    this.#output = new Promise((resolve) => (this.#give = resolve));
    this.#request = request;
    this.#location = location;
    this.#list = list;
  }

  /** Runs until its output was taken or nobody wants more of it. */
  async run(taken: Promise<unknown>): Promise<void> {
    const { rclone, tuning, size, offset, bytes, signal } = this.#request;
    let told: string | undefined;
    try {
      // Of the last range a byte more, which should not be there.
      const count = offset + bytes === size ? bytes + 1 : bytes;
      const { code } = await runRclone(rclone, {
        args: catArgs(
          { location: this.#location, filesFrom: this.#list, offset, count },
          { ...tuning, flags: [...viewFlags(tuning), ...tuning.flags] },
        ),
        signal: AbortSignal.any([signal, this.#enough.signal]),
        // The first says why, the last only that there were errors.
        onLog: ({ level, message }) => (level === "error" ? (told ??= message) : undefined),
        takeOutput: async (output) => {
          this.#give(readAtOnce(output));
          await taken;
        },
      });
      if (code !== 0) this.failure = told ?? `rclone cat ended with exit code ${code}`;
    } catch (error) {
      if (this.#enough.signal.aborted) return;
      if (signal.aborted) throw error;
      this.failure = error instanceof Error ? error.message : String(error);
    } finally {
      this.#give(undefined);
    }
  }

  /** Nothing more is wanted of it. */
  stop(): void {
    this.#enough.abort();
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    const output = await this.#output;
    if (output === undefined) return;
    for await (const piece of output) {
      this.taken += piece.length;
      yield piece;
    }
  }
}

/**
 * A stream of which the first piece is fetched now: Node throws away what nobody has begun to read when the child
 * has ended.
 */
function readAtOnce(output: Readable): AsyncIterable<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = output[Symbol.asyncIterator]();
  const first = pieces.next();
  // Told when it is asked for.
  first.catch(() => {});
  return (async function* () {
    for (let piece = await first; piece.done !== true; piece = await pieces.next())
      yield piece.value;
  })();
}

function viewFlags({ copyLinks, bwlimit }: Tuning): string[] {
  return [
    ...(copyLinks ? ["--copy-links"] : []),
    ...(bwlimit === undefined ? [] : ["--bwlimit", bwlimit]),
  ];
}

/**
 * Whether both give the same as far as both give anything. Who has more than the other is stopped; who
 * has ended has an exit code of its own.
 */
async function compareEnds(
  source: End,
  destination: End,
  { onBytes }: RangeRequest,
): Promise<boolean> {
  const [left, right] = [source.pieces(), destination.pieces()];
  let here: Uint8Array = new Uint8Array(0);
  let there: Uint8Array = new Uint8Array(0);
  try {
    for (;;) {
      if (here.length === 0) {
        const next = await left.next();
        if (next.done === true) {
          if (there.length > 0 || (await right.next()).done !== true) destination.stop();
          return true;
        }
        here = next.value;
      }
      if (there.length === 0) {
        const next = await right.next();
        if (next.done === true) {
          source.stop();
          return true;
        }
        there = next.value;
      }
      const length = Math.min(here.length, there.length);
      if (Buffer.compare(here.subarray(0, length), there.subarray(0, length)) !== 0) {
        source.stop();
        destination.stop();
        return false;
      }
      onBytes?.(length);
      here = here.subarray(length);
      there = there.subarray(length);
    }
  } catch {
    // A pipe that broke: rclone's exit code says why, or the signal that stopped it.
    source.stop();
    destination.stop();
    return true;
  }
}
