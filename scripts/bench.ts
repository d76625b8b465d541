/** The benchmark behind scripts/bench.sh; docs/benchmarks.md says what it measures and how. */
import { readFileSync, writeFileSync } from "node:fs";
import { exitCodes, Failure } from "../lib/errors.ts";
import { newRclone, oldRclone, rclones } from "../test/helpers/rclones.ts";
import type { Rclone } from "../test/helpers/rclones.ts";
import { cases } from "./bench/cases.ts";
import { describeMachine } from "./bench/machine.ts";
import { help, parseOptions } from "./bench/options.ts";
import type { CaseName, Options } from "./bench/options.ts";
import { makePlace, remove } from "./bench/place.ts";
import { benchJson, machineLines, table } from "./bench/report.ts";
import type { Row } from "./bench/report.ts";

const started = performance.now();

function say(text: string): void {
  console.error(`bench: ${((performance.now() - started) / 1000).toFixed(0)} s: ${text}`);
}

/** The rclones of a case: what is compared with rclone is compared with both. */
function rclonesFor(name: CaseName, wanted: Options["rclone"]): readonly Rclone[] {
  if (["help", "du", "names", "ledger", "status", "mongo", "split"].includes(name))
    return [newRclone];
  if (wanted !== undefined) return [wanted === "old" ? oldRclone : newRclone];
  return name === "sync" || name === "verify" ? rclones : [newRclone];
}

function ownVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return /"version": "([^"]*)"/.exec(text)?.[1] ?? "unknown";
}

async function measure(options: Options, signal: AbortSignal): Promise<void> {
  const place = await makePlace(options.work, newRclone, signal, say);
  try {
    const rows: Row[] = [];
    for (const name of options.cases) {
      for (const rclone of rclonesFor(name, options.rclone))
        rows.push(...(await cases[name](place, options, rclone)));
    }
    const machine = describeMachine(place.root, rclones, ownVersion());
    console.log(`${machineLines(machine, options.runs)}\n${table(rows)}`);
    if (options.json !== undefined)
      writeFileSync(options.json, benchJson(rows, machine, options, new Date()));
  } finally {
    say("cleaning up");
    await remove(place.root);
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), process.env["BENCH_FROM"] ?? process.cwd());
  if (options === undefined) {
    console.log(help.trimEnd());
    return exitCodes.done;
  }
  const stopped = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => stopped.abort());
  try {
    await measure(options, stopped.signal);
  } catch (error) {
    if (stopped.signal.aborted) return exitCodes.interrupted;
    throw error;
  }
  return exitCodes.done;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Failure && error.hint !== undefined)
    console.error(`bench: hint: ${error.hint}`);
  process.exitCode = error instanceof Failure ? exitCodes[error.outcome] : exitCodes.failed;
}
