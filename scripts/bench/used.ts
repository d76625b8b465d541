import { readFile } from "node:fs/promises";
import * as v from "valibot";
import type { Command } from "./measure.ts";

const used = v.object({ memory: v.number(), processor: v.number() });

/** What a process used, without those that it started. */
export interface Used {
  /** Bytes of memory at its peak. */
  readonly memory: number;
  /** Seconds of processor time, of all its threads. */
  readonly processor: number;
}

/** A program of Node's that writes to `file` what it used when it ends. */
export function watched(
  { env }: { readonly env: Command["env"] },
  file: string,
  ...args: readonly string[]
): Command {
  return { program: process.execPath, args: ["--import", recorder(file), ...args], env };
}

/** What the last program used that wrote to `file`. */
export async function readUsed(file: string): Promise<Used> {
  return v.parse(used, JSON.parse(await readFile(file, "utf8")));
}

/**
 * A module that tells of its own process. getrusage's ru_maxrss is not the peak of its memory: that
 * begins with the memory of whoever started the process.
 */
function recorder(file: string): string {
  const code = `import fs from "node:fs";
process.on("exit", () => {
  const status = fs.existsSync("/proc/self/status") ? fs.readFileSync("/proc/self/status", "utf8") : "";
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const memory = Number(/^VmHWM:\\s*(\\d+)/m.exec(status)?.[1] ?? maxRSS) * 1024;
  const processor = (userCPUTime + systemCPUTime) / 1e6;
  fs.writeFileSync(${JSON.stringify(file)}, JSON.stringify({ memory, processor }));
});`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
