import type { Policy, Step } from "../units/policy.ts";

/** Milliseconds of a day: 86,400 seconds, whatever the calendar says. */
export const day = 86_400_000;

/** A span of ages in days: more than `from`, and up to and with `to`. The first begins with 0. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/**
 * The window that an age (milliseconds) falls into; undefined when it is older than the policy
 * keeps anything. `holds` says of a step with a `?` whether it repeats for this file; where it
 * doesn't, the list means what it would without the `?`.
 */
export function windowOf(
  age: number,
  policy: Policy,
  holds: (step: Step) => boolean,
): Window | undefined {
  let from = 0;
  let last: Step | undefined;
  for (const step of policy.steps) {
    if (age <= step.days * day) {
      if (last === undefined || !repeats(last, holds)) return { from, to: step.days };
      const window = repetition(age, last.days);
      return { from: window.from, to: Math.min(window.to, step.days) };
    }
    from = step.days;
    last = step;
  }
  return last !== undefined && repeats(last, holds) ? repetition(age, last.days) : undefined;
}

function repeats(step: Step, holds: (step: Step) => boolean): boolean {
  return step.repeat === "always" || (step.repeat === "exists" && holds(step));
}

/** The window of an age that is more than `days`, among those that begin at its multiples. */
function repetition(age: number, days: number): Window {
  const count = Math.ceil(age / (days * day));
  return { from: (count - 1) * days, to: count * days };
}
