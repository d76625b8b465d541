import type { Tuning } from "./argv.ts";
import { runRclone, type Rclone } from "./run.ts";

/** More than any storage's precision: rclone tells a century where one keeps no times. */
const noPrecision = 1e18;

/** By what rclone can tell changed files at a location. */
export interface Comparable {
  /** The location keeps the times of modification that files are copied with. */
  readonly times: boolean;
  /** The kinds of checksums that it has; undefined where rclone doesn't say. */
  readonly hashes: readonly string[] | undefined;
}

/** Asks rclone by what files at a location can be compared. Times, where it doesn't say. */
export async function comparable(
  rclone: Rclone,
  location: string,
  tuning: Tuning,
  signal: AbortSignal,
): Promise<Comparable> {
  const lines: string[] = [];
  await runRclone(rclone, {
    args: ["backend", "features", "--use-json-log", location, ...tuning.flags],
    signal,
    onLine: (line) => lines.push(line),
  });
  const told = parsed(lines.join("\n"));
  const precision = told["Precision"];
  const hashes = told["Hashes"];
  return {
    times: typeof precision !== "number" || precision < noPrecision,
    hashes: Array.isArray(hashes)
      ? hashes.filter((hash): hash is string => typeof hash === "string")
      : undefined,
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
