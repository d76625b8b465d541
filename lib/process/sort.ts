import { readFile, stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { failed } from "../errors.ts";
import { runGroup, type GroupOptions } from "./group.ts";
import { openPipe, type Sink } from "./pipe.ts";
import { writeScratch } from "./scratchfile.ts";
import { writeFailure } from "./writefailure.ts";

export interface SortOptions {
  /** Leading bytes of each line to skip in the comparison. */
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** So many bytes are sorted here: to start sort(1) takes as long. */
const heldAtMost = 512 * 1024;

/**
 * Sorts a file of lines by their bytes, a long one with sort(1), which spills to disk: our memory does
 * not grow with the listing.
 * Throws when sort can't be run or fails (a full disk).
 */
export async function sortFile(
  input: string,
  output: string,
  scratch: string,
  options: SortOptions = {},
): Promise<void> {
  if ((await stat(input)).size > heldAtMost) await runSort([input], output, scratch, options);
  else await sortHere(await readFile(input), output, options);
}

/**
 * As sortFile, for the bytes of lines as they come. Throws what `lines` throws, too.
 */
export async function sortLines(
  lines: AsyncIterable<Uint8Array>,
  output: string,
  scratch: string,
  options: SortOptions,
): Promise<void> {
  const rest = lines[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let length = 0;
  while (length <= heldAtMost) {
    const next: IteratorResult<Uint8Array, unknown> = await rest.next();
    if (next.done === true) {
      await sortHere(Buffer.concat(held), output, options);
      return;
    }
    held.push(next.value);
    length += next.value.length;
  }
  await sortWritten(output, scratch, options, async (sink) =>
    pipeline(async function* () {
      yield* held;
      yield* { [Symbol.asyncIterator]: () => rest };
    }, sink),
  );
}

async function sortHere(lines: Buffer, output: string, options: SortOptions): Promise<void> {
  options.signal?.throwIfAborted();
  await writeScratch(output, sorted(lines.toString("latin1"), options), "latin1");
}

/** The lines of a text in the order of sort(1): one character a byte. */
function sorted(text: string, { from = 0 }: SortOptions): string {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const byKey = (a: string, b: string): number =>
    compare(a.slice(from), b.slice(from)) || compare(a, b);
  if (from === 0) lines.sort();
  else lines.sort(byKey);
  return lines.map((line) => `${line}\n`).join("");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Sorts what a producer writes: `produce` gets what it hands to a child as its standard output. So the
 * producer's lines don't pass through us, and sort tells of a full disk, of which rclone takes no notice.
 * Throws what sort or the producer throws; sort's failure first, since it breaks the producer's pipe.
 */
export async function sortOutput<T>(
  output: string,
  scratch: string,
  options: SortOptions,
  produce: (sink: Sink) => Promise<T>,
): Promise<T> {
  const pipe = await openPipe(`${output}.pipe`);
  if (pipe === undefined) return sortWritten(output, scratch, options, produce);
  const { reader, writer } = pipe;
  const producing = produce(writer).finally(() => writer.close());
  const sorting = runSort([], output, scratch, options, { stdin: reader });
  const [sortedAll, product] = await Promise.allSettled([
    sorting.finally(() => reader.close()),
    producing,
  ]);
  return outcomeOf(sortedAll, product, options);
}

/** As sortOutput, where the producer gets sort's standard input as Node has it. */
async function sortWritten<T>(
  output: string,
  scratch: string,
  options: SortOptions,
  produce: (sink: Writable) => Promise<T>,
): Promise<T> {
  let produced: Promise<T> | undefined;
  const onStdin = (sink: Writable): void => {
    // Sort ends when nobody holds its input any more.
    produced = produce(sink).finally(() => sink.destroy());
    // Awaited below, when sort has ended.
    produced.catch(() => {});
  };
  const [sortedAll] = await Promise.allSettled([
    runSort([], output, scratch, options, { onStdin }),
  ]);
  if (produced === undefined) throw failed("sort: expected it to start, found that it did not");
  const [product] = await Promise.allSettled([produced]);
  return outcomeOf(sortedAll, product, options);
}

function outcomeOf<T>(
  sortedAll: PromiseSettledResult<void>,
  product: PromiseSettledResult<T>,
  { signal }: SortOptions,
): T {
  signal?.throwIfAborted();
  if (sortedAll.status === "rejected") throw sortedAll.reason;
  if (product.status === "rejected") throw product.reason;
  return product.value;
}

async function runSort(
  inputs: readonly string[],
  output: string,
  scratch: string,
  options: SortOptions,
  input: Pick<GroupOptions, "stdin" | "onStdin"> = {},
): Promise<void> {
  let [told, full] = ["", false];
  const key = options.from === undefined ? [] : ["-t", "\t", "-k", `1.${options.from + 1}`];
  const { code } = await runGroup({
    command: ["sort", ...key, "-S", "64M", "-T", scratch, "-o", output, ...inputs],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
    signal: options.signal,
    onStderr: (line) => {
      told = line;
      full ||= /no space left/i.test(line);
    },
    ...input,
  });
  options.signal?.throwIfAborted();
  if (full) {
    throw writeFailure(output, Object.assign(new Error(told), { code: "ENOSPC" }));
  }
  if (code !== 0)
    throw failed(`sort: expected a sorted listing, found exit code ${code ?? "none"}: ${told}`);
}
