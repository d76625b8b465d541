import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { failed, usage } from "../errors.ts";
import type { Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import { writeScratch } from "../process/scratchfile.ts";
import { sortFile } from "../process/sort.ts";
import { checkArgs, type CheckIntent, type Tuning } from "../rclone/argv.ts";
import type { LogRecord, Stats } from "../rclone/log.ts";
import { runRclone, type Rclone } from "../rclone/run.ts";
import { rawFromBytes } from "../units/rawpath.ts";
import { judgeAnswers, type Answer, type CheckVerdict, type Chosen } from "./judge.ts";

export interface CheckRequest extends Omit<CheckIntent, "combined" | "statsEvery"> {
  readonly rclone: Rclone;
  readonly tuning: Tuning;
  /** What must be answered for, sorted by path. A file with no answer is a finding. */
  readonly chosen: Pages<Chosen>;
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
  readonly onStats?: ((stats: Stats) => void) | undefined;
}

/** The first reasons; a finding without one is still told. */
const keptReasons = 10_000;

/** What rclone told beside its answers; files by their names in its log. */
interface Told {
  readonly reasons: Map<string, string>;
  readonly unhashed: Set<string>;
  noCommonHash: boolean;
  /** The last error, or what it said of its own failure. */
  last: string | undefined;
}

/**
 * Compares the chosen files through rclone and counts the answers: rclone ends with 0 even for a
 * list that matched nothing, so only a line `= path` proves a file.
 * Throws when rclone could not compare at all, and a usage failure when hashes are asked for and
 * the two ends have none in common.
 */
export async function check(request: CheckRequest): Promise<CheckVerdict> {
  const combined = join(request.scratch, "combined");
  const sorted = `${combined}.sorted`;
  await writeScratch(combined, "");
  const told: Told = {
    reasons: new Map(),
    unhashed: new Set(),
    noCommonHash: false,
    last: undefined,
  };
  const { code } = await runRclone(request.rclone, {
    args: argsOf(request, combined),
    signal: request.signal,
    onLog: (record) => {
      if (record.stats !== undefined) request.onStats?.(record.stats);
      note(told, record);
    },
  });
  if (request.kind !== "download" && told.noCommonHash)
    throw usage(
      "verify: hash: expected checksums that source and destination both keep, found none in common",
      { hint: "leave out hash: then the content is downloaded and compared" },
    );
  if (code !== 0 && (await stat(combined)).size === 0)
    throw failed(
      `verify: expected rclone to compare files, found exit code ${code}: ${told.last ?? "no message"}`,
    );
  await sortFile(combined, sorted, request.scratch, { from: 2, signal: request.signal });
  return judgeAnswers(request.chosen, readCombined(sorted), {
    ...told,
    unanswered: code === 0 ? undefined : told.last,
  });
}

function argsOf(request: CheckRequest, combined: string): string[] {
  const args = checkArgs({ ...request, combined, statsEvery: 1 }, request.tuning);
  // Where hashes are compared, rclone answers = for a file without one, and tells only its debug log.
  return request.kind === "download" ? args : [...args.slice(0, 1), "-vv", ...args.slice(1)];
}

function note(told: Told, { level, object, message }: LogRecord): void {
  if (level === "error" || message.startsWith("Failed to ")) told.last = message;
  if (/^No common hash found|does not support any hashes/.test(message)) told.noCommonHash = true;
  if (object === undefined) return;
  if (level === "error" && told.reasons.size < keptReasons) told.reasons.set(object, message);
  if (level === "debug" && message === "OK - could not check hash") told.unhashed.add(object);
}

async function* readCombined(file: string): Pages<Answer> {
  for await (const lines of linePages(createReadStream(file))) {
    yield lines.map((line) => ({ sign: line.slice(0, 1), path: rawFromBytes(line.slice(2)) }));
  }
}
