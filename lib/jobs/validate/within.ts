import { failed, interrupted } from "../../errors.ts";
import { findingOf, type Check, type Finding, type Level } from "./finding.ts";

export type CheckStep = () => Promise<readonly Finding[]>;

export interface TimedCheck {
  readonly check: Check;
  readonly act: CheckStep;
  /** How bad it is that it throws; unreachable unless given. */
  readonly level?: Level | undefined;
  /** Aborted when the time is up, which is `limit` milliseconds after the beginning. */
  readonly late: AbortSignal;
  readonly limit: number;
  /** Of the whole command. */
  readonly signal: AbortSignal;
}

/** What a check finds or throws, or that it takes too long. Throws interrupted when the command is stopped. */
export async function withinTime(timed: TimedCheck): Promise<readonly Finding[]> {
  const { check, act, level, late, limit, signal } = timed;
  let stop: (() => void) | undefined;
  const timeUp = new Promise<never>((_resolve, reject) => {
    stop = () => reject(failed("the time is up"));
    late.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([act(), timeUp]);
  } catch (error) {
    if (signal.aborted) throw interrupted("stopped by a signal", { cause: error });
    if (!late.aborted) return [findingOf(check, error, level)];
    const text = `${check}: expected an answer within ${limit / 1000} s, found none`;
    return [{ level: "unreachable", check, text, hint: "try it by hand, with rclone lsd" }];
  } finally {
    if (stop !== undefined) late.removeEventListener("abort", stop);
  }
}
