import { Failure } from "../../errors.ts";

/** What a finding is about. */
export type Check =
  | "configuration"
  | "settings"
  | "rclone"
  | "source"
  | "destination"
  | "key"
  | "history"
  | "clock"
  | "names"
  | "space"
  | "schedule"
  | "notify"
  | "hooks";

/**
 * `error`: no run can go well until somebody corrects it; `unreachable`: it can't be reached or is not
 * there now; `warning`: runs go well, and it may not be meant so.
 */
export type Level = "error" | "unreachable" | "warning";

export interface Finding {
  readonly level: Level;
  readonly check: Check;
  readonly text: string;
  /** What to do about it. */
  readonly hint: string | undefined;
}

/** A finding from what a step threw: wrong settings are errors, everything else is as bad as `level`. */
export function findingOf(check: Check, error: unknown, level: Level = "unreachable"): Finding {
  if (!(error instanceof Failure)) throw error;
  const { message: text, hint, outcome } = error;
  return {
    level: outcome === "usage" && level === "unreachable" ? "error" : level,
    check,
    text,
    hint,
  };
}

export function warning(check: Check, text: string, hint: string): Finding {
  return { level: "warning", check, text, hint };
}
