import type { FoundConfig } from "../../config/all.ts";
import type { Outcome } from "../../errors.ts";
import { begunLine, begunOption } from "../begun.ts";
import type { Child, ChildWorld, Start } from "./child.ts";
import { readDocument, type BackupDocument } from "./document.ts";
import { asFailure } from "./keeper.ts";
import type { NightBackup, NightCounts, NightFile, NightOptions } from "./night.ts";

/** The parts of the options that every backup is started with. */
export type Starting = Pick<
  NightOptions,
  "start" | "passed" | "set" | "rcloneConfig" | "configDir" | "dryRun" | "onLine" | "onResult"
>;

/**
 * Runs one backup in a process of its own and tells what came of it. `onBegun` is called once nothing skips it any
 * more. Never throws for what it did.
 */
export async function runOne(
  config: FoundConfig,
  options: Starting,
  world: ChildWorld & { readonly now: () => Date },
  onBegun?: () => void,
): Promise<NightBackup> {
  const startedAt = world.now().toISOString();
  const base = { ...nothingDone, name: config.name, file: config.file, startedAt };
  if (config.problem !== undefined) {
    const { outcome, message, hint } = config.problem;
    options.onLine(config.name, `error: ${message}`);
    if (hint !== undefined) options.onLine(config.name, `hint: ${hint}`);
    return { ...base, outcome, result: "failure", finishedAt: startedAt, message, hint };
  }
  const child = await runCommandOf(config, options.dryRun ? ["-n"] : [], options, world, onBegun);
  const document = readDocument(child.document);
  const { outcome } = child;
  const ended = { ...base, outcome, finishedAt: world.now().toISOString() };
  if (document?.kind === "backup") return { ...ended, ...told(document) };
  const message = document?.kind === "error" ? document.message : unsaid(child);
  const hint = document?.kind === "error" ? (document.hint ?? undefined) : undefined;
  return { ...ended, result: resultOf(outcome), message, hint };
}

const nothingDone = {
  message: undefined,
  hint: undefined,
  refusedPlan: undefined,
  warnings: [],
  failures: [],
  failureCount: 0,
  counts: undefined,
  verifications: [],
  repeated: false,
} as const;

/** Starts rclone-backup for a configuration, with `words` beside the options that all get. */
export async function runCommandOf(
  { name, file }: Pick<FoundConfig, "name" | "file">,
  words: readonly string[],
  options: Starting,
  world: ChildWorld,
  onBegun?: () => void,
): Promise<Child> {
  const { start, passed, set, configDir, rcloneConfig, dryRun, onLine, onResult } = options;
  const results: Promise<void>[] = [];
  const child = await startOrFail(
    start,
    [
      ...passed,
      ...words,
      ...(onBegun === undefined ? [] : [begunOption]),
      ...(dryRun ? [] : ["--json"]),
      // It names the configurations that this one extends.
      ...(configDir === undefined ? [] : ["--config-dir", configDir]),
      ...(rcloneConfig === undefined ? [] : ["--rclone-config", rcloneConfig]),
      ...set.flatMap((value) => ["--set", value]),
      file,
    ],
    world,
    (line) => (line === begunLine ? onBegun?.() : onLine(name, line)),
    dryRun ? (line) => void results.push(onResult(name, line)) : undefined,
  );
  await Promise.all(results);
  return child;
}

/** One that can't even be started has failed, and stops no other. */
async function startOrFail(start: Start, ...rest: Parameters<Start>): Promise<Child> {
  try {
    return await start(...rest);
  } catch (error) {
    const { outcome, message } = asFailure(error);
    const [, , onLine] = rest;
    onLine(`error: ${message}`);
    return { outcome, document: undefined, lastLine: message };
  }
}

/** What to say of a run that ended without its document, as after kill -9. */
export function unsaid({ outcome, signal, lastLine }: Child): string | undefined {
  if (outcome === "done") return undefined;
  if (signal !== undefined) {
    const last = lastLine === undefined ? "" : `; it said last: ${lastLine}`;
    return `expected it to end by itself, found it killed by ${signal}${last}`;
  }
  return lastLine ?? "it ended without a word";
}

function resultOf(outcome: Outcome): NightBackup["result"] {
  if (outcome === "done") return "success";
  return outcome === "skipped" ? "skipped" : "failure";
}

function told(document: BackupDocument): Partial<NightBackup> & Pick<NightBackup, "result"> {
  return {
    result: document.result,
    message: document.message ?? undefined,
    hint: document.hint ?? undefined,
    refusedPlan: document.refused_plan ?? undefined,
    warnings: document.warnings,
    failures: document.failures.slice(0, mostFiles).map(fileOf),
    failureCount: document.failure_count,
    counts: countsOf(document),
  };
}

/** So many files are told of each backup, for there may be hundreds of them. */
export const mostFiles = 100;

/** A file of a document, with the reason or what else is known of the problem. */
export function fileOf(item: {
  readonly path: string;
  readonly reason?: string | null | undefined;
  readonly problem?: string;
}): NightFile {
  return { path: item.path, reason: item.reason ?? item.problem ?? "" };
}

function countsOf({ plan, transferred }: BackupDocument): NightCounts | undefined {
  if (plan === null || plan === undefined) return undefined;
  const { source, added, changed, deleted } = plan;
  return { source, added, changed, deleted, transferred };
}
