// What a policy means: its windows, and which versions it keeps by its definition.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { plan } from "../lib/retention/plan.ts";
import { windowOf } from "../lib/retention/windows.ts";
import { builtInPolicies, parsePolicy } from "../lib/units/policy.ts";
import { onlyHistory } from "./helpers/pruning.ts";
import { day, now, ownText, policy, storeWith } from "./helpers/retention.ts";

/** The ends of the windows in days, found by asking for every age up to `days`. */
function windowEnds(text: string, days: number, exists: boolean): number[] {
  const found = new Set<number>();
  for (let age = 0.5; age < days; age += 1) {
    const window = windowOf(age * day, policy(text), () => exists);
    if (window !== undefined) found.add(window.to);
  }
  return [...found];
}

function multiples(of: number, from: number, to: number): number[] {
  const found: number[] = [];
  for (let each = from; each <= to; each += of) found.push(each);
  return found;
}

const week = [1, 2, 3, 4, 5, 6, 7];
const month = [...week, 14, 21, 28, 30];

test("built-in policies have the windows that their numbers say", () => {
  const year = [...month, ...multiples(30, 60, 360), 365];
  const expected: Readonly<Record<string, readonly number[]>> = {
    none: [],
    one_week: week,
    one_month: month,
    three_months: [...month, 60, 90, 91],
    six_months: [...month, 60, 90, 120, 150, 180, 182],
    one_year: year,
    one_year_all: multiples(1, 1, 365),
  };
  for (const [text, windows] of Object.entries(expected))
    for (const exists of [true, false])
      assert.deepEqual(windowEnds(text, 2000, exists), windows, text);
  assert.deepEqual(windowEnds("default", 1500, true), [...year, 730, 1095, 1460, 1825]);
  assert.deepEqual(windowEnds("default", 1500, false), year);
  assert.deepEqual(
    new Set(Object.keys(builtInPolicies)),
    new Set([...Object.keys(expected), "default", "forever"]),
  );
});

/** The window of an age in days, `from-to`. */
function spanOf(text: string, age: number, exists = true): string {
  const window = windowOf(age * day, policy(text), () => exists);
  return window === undefined ? "none" : `${window.from}-${window.to}`;
}

test("windows are (a, b], the first with 0, and a ? in the middle may be gone", () => {
  const ms = 1 / day;
  assert.deepEqual(
    [0, 1, 1 + ms, 7, 7 + ms, 14, 28, 28 + ms, 30, 30 + ms].map((age) => spanOf("1 7 * 30", age)),
    ["0-1", "0-1", "1-7", "1-7", "7-14", "7-14", "21-28", "28-30", "28-30", "none"],
  );
  assert.equal(spanOf("7 ? 30", 20), "14-21");
  assert.equal(spanOf("7 ? 30", 20, false), "7-30");
  assert.equal(spanOf("1 *", 1e6), "999999-1000000");
  assert.equal(spanOf("365 ?", 366), "365-730");
  assert.equal(spanOf("365 ?", 366, false), "none");
});

/** The reference: an end is a listed day, or a multiple of one whose repetition holds there. */
function isEnd(text: string, forgiven: (days: number) => boolean, candidate: number): boolean {
  const words = text.split(" ");
  let last = 0;
  let repeat = "";
  for (const word of [...words, "999999999"]) {
    if (word === "*" || word === "?") {
      repeat = word;
      continue;
    }
    const number = Number(word);
    if (candidate === number) return true;
    const holds = repeat === "*" || (repeat === "?" && forgiven(last));
    if (holds && last < candidate && candidate < number) return candidate % last === 0;
    last = number;
    repeat = "";
  }
  return false;
}

/** Which versions a list of days keeps, from its definition, day by day. */
function reference(
  text: string,
  ages: readonly number[],
  deletedDays: number | undefined,
): boolean[] {
  const forgiven = (days: number): boolean => deletedDays === undefined || deletedDays < days;
  const bounds = [0];
  for (let candidate = 1; candidate <= 2000; candidate += 1)
    if (isEnd(text, forgiven, candidate)) bounds.push(candidate);
  const keep = ages.map(() => false);
  for (let index = 1; index < bounds.length; index += 1) {
    const [from = 0, to = 0] = [bounds[index - 1], bounds[index]];
    const inside = ages.flatMap((age, place) =>
      (age > from || (age === 0 && from === 0)) && age <= to ? [place] : [],
    );
    if (inside.length === 0) continue;
    // Newest first: the first of them ended last.
    keep[inside[0] ?? 0] = true;
    keep[inside.at(-1) ?? 0] = true;
  }
  return keep;
}

const listed = Object.entries(builtInPolicies).filter(([each]) => !/^(?:none|forever)$/.test(each));

/** Days ago, with halves, so that some ages are exactly on an edge. */
const ages = fc.uniqueArray(
  fc.integer({ min: 0, max: 3000 }).map((half) => half / 2),
  { minLength: 1, maxLength: 25 },
);

for (const [title, texts] of [
  ...listed.map(([each, text]) => [`the policy ${each}`, fc.constant(text)] as const),
  ["any policy", ownText] as const,
]) {
  test(`${title} keeps what its definition says`, async () => {
    await fc.assert(
      fc.asyncProperty(texts, ages, fc.boolean(), async (text, days, deleted) => {
        const order = days.toSorted((a, b) => b - a);
        const events = order.map((ago): ["F" | "D", number] => ["F", ago]);
        const last = order.at(-1) ?? 0;
        if (deleted) events[events.length - 1] = ["D", last];
        const history = await onlyHistory(storeWith(events));
        const old = history.versions.filter(({ until }) => until !== undefined);
        const keep = reference(
          text,
          old.map(({ until = 0 }) => (now - until) / day),
          deleted ? last : undefined,
        );
        const decisions = plan(history, parsePolicy(text), now);
        for (const [index, version] of old.entries()) {
          const decision = decisions.find((each) => each.version === version.stored);
          assert.equal(
            decision?.action,
            keep[index] === true ? "keep" : "remove",
            decision?.reason,
          );
        }
      }),
      { numRuns: 100 },
    );
  });
}
