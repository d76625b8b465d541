// Files whose versions came and went so many days ago, and what a policy makes of them.
import * as fc from "fast-check";
import type { Decision } from "../../lib/retention/plan.ts";
import { builtInPolicy, parsePolicy, type Policy } from "../../lib/units/policy.ts";
import { rawFromText } from "../../lib/units/rawpath.ts";
import { MemoryStore } from "./memorystore.ts";

export const day = 86_400_000;
export const now = Date.UTC(2026, 5, 1);

/** A built-in policy, or the one that a list of days means. */
export function policy(text: string): Policy {
  return builtInPolicy(text) ?? parsePolicy(text);
}

/** A store with one file; `F` is an upload, `D` a deletion, each so many days ago. */
export function storeWith(events: readonly (readonly ["F" | "D", number])[]): MemoryStore {
  const store = new MemoryStore({ now });
  for (const [what, daysAgo] of events) {
    const kind = what === "F" ? "file" : "marker";
    store.add(rawFromText("f"), {
      kind,
      storedAt: now - daysAgo * day,
      size: 1,
      modifiedAt: undefined,
    });
  }
  return store;
}

/** A letter for each decision, oldest first: k or r for contents, K or R for markers. */
export function letters(decisions: readonly Decision[]): string {
  return decisions
    .map(({ version, action }) => (version.kind === "file" ? action : action.toUpperCase())[0])
    .join("");
}

/** A policy as a user might write it. */
export const ownText = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.constantFrom("", " *", " ?")), {
    selector: ([days]) => days,
    minLength: 1,
    maxLength: 5,
  })
  .map((steps) =>
    steps
      .toSorted(([a], [b]) => a - b)
      .map(([days, mark]) => `${days}${mark}`)
      .join(" "),
  );
