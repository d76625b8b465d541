import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { failed, interrupted } from "../../lib/errors.ts";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A file for standard input; none unless given. */
  readonly input?: string;
  /** Done before each run, and not timed. */
  readonly prepare?: () => Promise<void>;
}

/** Where output goes while something is timed, and what ends it. */
export interface Bench {
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/**
 * Runs a command to its end and returns the seconds from its start to its end, with what it wrote to
 * stdout in `output`. All output goes to files, so that no reader of a pipe is timed along.
 * Throws failed when it ends with anything but 0, interrupted when the bench is stopped.
 */
export async function timed(bench: Bench, command: Command): Promise<TimedRun> {
  await command.prepare?.();
  const output = path.join(bench.scratch, "stdout");
  const errors = path.join(bench.scratch, "stderr");
  const input = command.input === undefined ? undefined : openSync(command.input, "r");
  const outputs = [openSync(output, "w"), openSync(errors, "w")] as const;
  const started = process.hrtime.bigint();
  try {
    const child = spawn(command.program, command.args, {
      env: command.env,
      stdio: [input ?? "ignore", ...outputs],
    });
    const stop = (): void => void child.kill("SIGTERM");
    bench.signal.addEventListener("abort", stop, { once: true });
    if (bench.signal.aborted) stop();
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    bench.signal.removeEventListener("abort", stop);
    if (bench.signal.aborted) throw interrupted("stopped by a signal");
    if (code !== 0) {
      const told = readFileSync(errors, "utf8").trim().split("\n").slice(-5).join("\n");
      throw failed(
        `${readable(command)}: expected exit code 0, found ${code ?? "a signal"}:\n${told}`,
      );
    }
    return { seconds, output };
  } finally {
    if (input !== undefined) closeSync(input);
    for (const descriptor of outputs) closeSync(descriptor);
  }
}

/** Without the module that we preload, which is long and says nothing. */
function readable({ program, args }: Command): string {
  const own = args.filter((word) => word !== "--import" && !word.startsWith("data:"));
  return [program, ...own].join(" ");
}

export interface TimedRun {
  readonly seconds: number;
  /** File with what went to stdout; the next run overwrites it. */
  readonly output: string;
}

/** Seconds of ours and of what it is compared with; equal positions ran one after the other. */
export interface Pairs {
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

/**
 * Runs A B A B …, so that whatever else slows the machine down meets both. One run of each before
 * that warms the caches and is not counted. `afterOurs` and `afterBare` look at each counted run.
 */
export async function sideBySide(
  bench: Bench,
  runs: number,
  ours: Command,
  bare: Command,
  afterOurs?: (run: TimedRun) => Promise<void>,
  afterBare?: (run: TimedRun) => Promise<void>,
): Promise<Pairs> {
  await timed(bench, bare);
  await timed(bench, ours);
  const pairs: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  for (let run = 0; run < runs; run += 1) {
    const own = await timed(bench, ours);
    await afterOurs?.(own);
    pairs.ours.push(own.seconds);
    const other = await timed(bench, bare);
    await afterBare?.(other);
    pairs.bare.push(other.seconds);
  }
  return pairs;
}

/** The middle value, or the mean of the middle two. NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** A figure made of the medians, and the median of the same figure made of each pair. */
export function compare(
  { ours, bare }: Pairs,
  figure: (ours: number, bare: number) => number,
): { ofMedians: number; ofPairs: number } {
  return {
    ofMedians: figure(median(ours), median(bare)),
    ofPairs: median(ours.map((own, at) => figure(own, bare[at] ?? Number.NaN))),
  };
}

/** A run that did something else than it should is no measurement. */
export function expectThat(good: boolean, what: string, found: unknown): void {
  if (!good) throw failed(`expected ${what}, found ${JSON.stringify(found)}`);
}
