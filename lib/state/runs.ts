import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import * as v from "valibot";
import { systemCode } from "../errors.ts";
import { writeAtomically } from "./atomic.ts";
import { isCount } from "./count.ts";
import { runSchema } from "./record.ts";

const lineSchema = v.omit(runSchema, ["warnings"]);

/** A finished run as the history of a backup keeps it; no dry run is among them. */
export type FinishedRun = v.InferOutput<typeof lineSchema>;

/** Above this many bytes all but the newest lines go. */
const trimAbove = 256 * 1024;
const keptLines = 400;
/** No message is longer, in characters, so that a few blocks hold the newest runs. */
const longestMessage = 500;
const usualLine = 512;

/** Adds a run to runs.ndjson; the caller holds the backup's lock. */
export async function appendRun(file: string, run: FinishedRun): Promise<void> {
  const kept = {
    ...run,
    ...(run.message === undefined ? {} : { message: shortened(run.message) }),
  };
  const handle = await open(file, "a+", 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    // A run that was killed here left a part of a line, which is not to spoil this one.
    const begin = size === 0 || last.toString() === "\n" ? "" : "\n";
    await handle.writeFile(`${begin}${JSON.stringify(v.parse(lineSchema, kept))}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await trim(file);
}

async function trim(file: string): Promise<void> {
  const tail = readTail(file, trimAbove);
  if (tail === undefined || tail.isWhole) return;
  const lines = tail.text.trimEnd().split("\n").slice(-keptLines);
  await writeAtomically(file, lines.map((line) => `${line}\n`).join(""));
}

/**
 * The newest runs of runs.ndjson, at most so many, the oldest first. A line that is torn or makes no sense
 * is passed over, a missing file has none, and of two lines of one run the later one counts. It is
 * synchronous, since a status reads hundreds of these small files. Throws when the file can't be read.
 */
export function readRuns(file: string, count: number): readonly FinishedRun[] {
  for (let bytes = count * usualLine; ; bytes *= 4) {
    const tail = readTail(file, bytes);
    if (tail === undefined) return [];
    const runs = new Map<string, FinishedRun>();
    for (const line of tail.text.split("\n").toReversed()) {
      if (runs.size >= count) break;
      const run = line === "" ? undefined : parseRun(line);
      if (run !== undefined && !runs.has(run.run)) runs.set(run.run, run);
    }
    if (tail.isWhole || runs.size >= count) return [...runs.values()].toReversed();
  }
}

function parseRun(line: string): FinishedRun | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isFinishedRun(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const results: ReadonlySet<unknown> = new Set(runSchema.entries.result.options);

/** What lineSchema says, in a third of its time: a status reads thousands of lines. */
function isFinishedRun(value: unknown): value is FinishedRun {
  return (
    typeof value === "object" &&
    value !== null &&
    hasTexts(value) &&
    "result" in value &&
    results.has(value.result) &&
    "exitCode" in value &&
    typeof value.exitCode === "number" &&
    (!("source" in value) || isCount(value.source)) &&
    (!("added" in value) || isCount(value.added)) &&
    (!("changed" in value) || isCount(value.changed)) &&
    (!("deleted" in value) || isCount(value.deleted)) &&
    (!("message" in value) || typeof value.message === "string")
  );
}

function hasTexts(value: object): boolean {
  return (
    "run" in value &&
    typeof value.run === "string" &&
    "startedAt" in value &&
    typeof value.startedAt === "string" &&
    "finishedAt" in value &&
    typeof value.finishedAt === "string"
  );
}

interface Tail {
  /** Whole lines, and what a torn last one holds. */
  readonly text: string;
  readonly isWhole: boolean;
}

/** The last bytes of a file, from a line's beginning; undefined where there is no file. */
function readTail(file: string, bytes: number): Tail | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    const length = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    const text = buffer.toString("utf8", 0, length);
    if (size <= bytes) return { text, isWhole: true };
    return { text: text.slice(text.indexOf("\n") + 1), isWhole: false };
  } finally {
    closeSync(descriptor);
  }
}

function shortened(message: string): string {
  return message.length <= longestMessage
    ? message
    : `${message.slice(0, longestMessage).replace(/[\ud800-\udbff]$/, "")}…`;
}
