import { failed, usage } from "../../errors.ts";
import { featuresArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import type { DirContext } from "./context.ts";

/** How a store gets a file out of the way. */
export type SetAside = "move" | "copy and delete";

/**
 * Asks whether the store can move or copy files by itself. Throws a usage failure where it can't:
 * every replaced file would be downloaded and uploaded.
 */
export async function howSetAside(context: DirContext): Promise<SetAside> {
  const lines: string[] = [];
  const { code, lastError } = await runRclone(context.rclone, {
    args: featuresArgs(context.history, context.tuning),
    signal: context.signal,
    onLine: (line) => lines.push(line),
  });
  const can = code === 0 ? featuresOf(lines.join("\n")) : undefined;
  if (can === undefined)
    throw failed(
      `history: expected rclone to tell what the destination's remote can do, found exit code ${code}: ${lastError ?? "no features"}`,
    );
  if (can["Move"] === true) return "move";
  if (can["Copy"] === true) return "copy and delete";
  throw usage(
    "history.kind: expected a destination that can move or copy files by itself, as dir needs, found one that can't",
    { hint: "set [history] kind = none, or choose another destination" },
  );
}

function featuresOf(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("Features" in value)) return undefined;
  const { Features: features } = value;
  return typeof features === "object" && features !== null ? { ...features } : undefined;
}
