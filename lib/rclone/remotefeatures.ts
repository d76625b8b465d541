import type { Tuning } from "./argv.ts";
import { featuresArgs } from "./files.ts";
import { runRclone, type Rclone } from "./run.ts";

/** What rclone says a remote can do. */
export interface RemoteFeatures {
  /** By rclone's names, such as `Move` and `BucketBased`. */
  readonly can: Readonly<Record<string, unknown>>;
  /** Whether files keep the modification times they are given; else their times are those of the upload. */
  readonly keepsTimes: boolean;
  /** How far from what they were given these times may be, in milliseconds. */
  readonly timeStep: number;
  /** The kinds of checksums that it has; undefined where rclone doesn't say. */
  readonly hashes: readonly string[] | undefined;
}

/** Where a remote keeps none, rclone calls its precision a hundred years, in nanoseconds. */
const noTimes = 1e18;

/** Asks rclone what a remote can do; a text where it doesn't tell, why. */
export async function remoteFeatures(
  rclone: Rclone,
  location: string,
  tuning: Tuning,
  signal: AbortSignal | undefined,
): Promise<RemoteFeatures | string> {
  const lines: string[] = [];
  const { code, lastError } = await runRclone(rclone, {
    args: featuresArgs(location, tuning),
    signal,
    onLine: (line) => lines.push(line),
  });
  const told = code === 0 ? parse(lines.join("\n")) : undefined;
  return told ?? `exit code ${code}: ${lastError ?? "no features"}`;
}

function parse(text: string): RemoteFeatures | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("Features" in value)) return undefined;
  const { Features: features } = value;
  if (typeof features !== "object" || features === null) return undefined;
  const precision = "Precision" in value ? Number(value.Precision) : 0;
  const told: readonly unknown[] | undefined =
    "Hashes" in value && Array.isArray(value.Hashes) ? value.Hashes : undefined;
  const hashes = told?.filter((hash): hash is string => typeof hash === "string");
  return {
    can: { ...features },
    keepsTimes: precision < noTimes,
    timeStep: precision / 1_000_000,
    hashes,
  };
}
