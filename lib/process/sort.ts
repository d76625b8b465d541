import type { Writable } from "node:stream";
import { failed } from "../errors.ts";
import { runGroup } from "./group.ts";
import { writeFailure } from "./writefailure.ts";

export interface SortOptions {
  /** Leading bytes of each line to skip in the comparison. */
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sorts a file of lines by their bytes with sort(1), which spills to disk: our memory does not
 * grow with the listing.
 * Throws when sort can't be run or fails (a full disk).
 */
export async function sortFile(
  input: string,
  output: string,
  scratch: string,
  options: SortOptions = {},
): Promise<void> {
  await runSort([input], output, scratch, options);
}

/**
 * Sorts what a producer writes: `produce` gets sort's standard input, which it hands to a child as
 * its standard output. So the producer's lines don't pass through us, and sort tells of a full disk,
 * of which rclone takes no notice.
 * Throws what sort or the producer throws; sort's failure first, since it breaks the producer's pipe.
 */
export async function sortOutput<T>(
  output: string,
  scratch: string,
  options: SortOptions,
  produce: (sink: Writable) => Promise<T>,
): Promise<T> {
  let produced: Promise<T> | undefined;
  const sorted = runSort([], output, scratch, options, (sink) => {
    // Sort ends when nobody holds its input any more.
    produced = produce(sink).finally(() => sink.destroy());
    // Awaited below, when sort has ended.
    produced.catch(() => {});
  });
  const [sorting] = await Promise.allSettled([sorted]);
  if (produced === undefined) throw failed("sort: expected it to start, found that it did not");
  const [product] = await Promise.allSettled([produced]);
  options.signal?.throwIfAborted();
  if (sorting.status === "rejected") throw sorting.reason;
  if (product.status === "rejected") throw product.reason;
  return product.value;
}

async function runSort(
  inputs: readonly string[],
  output: string,
  scratch: string,
  options: SortOptions,
  onStdin?: (stdin: Writable) => void,
): Promise<void> {
  let told = "";
  const key = options.from === undefined ? [] : ["-t", "\t", "-k", `1.${options.from + 1}`];
  const { code } = await runGroup({
    command: ["sort", ...key, "-S", "64M", "-T", scratch, "-o", output, ...inputs],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
    signal: options.signal,
    onStderr: (line) => (told = line),
    onStdin,
  });
  options.signal?.throwIfAborted();
  if (/no space left/i.test(told)) {
    throw writeFailure(output, Object.assign(new Error(told), { code: "ENOSPC" }));
  }
  if (code !== 0)
    throw failed(`sort: expected a sorted listing, found exit code ${code ?? "none"}: ${told}`);
}
