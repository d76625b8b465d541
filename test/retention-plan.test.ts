import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { histories } from "../lib/history/group.ts";
import type { FileHistory } from "../lib/history/history.ts";
import { endOf, type Ends } from "../lib/retention/ends.ts";
import { endsToRemember } from "../lib/retention/remember.ts";
import type { Decision } from "../lib/retention/plan.ts";
import { plan, purge } from "../lib/retention/plan.ts";
import { windowOf } from "../lib/retention/windows.ts";
import type { Policy } from "../lib/units/policy.ts";
import { builtInPolicies, builtInPolicy, parsePolicy } from "../lib/units/policy.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";
import { readPage } from "./helpers/pages.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);
const name = rawFromText("f");

function policy(text: string): Policy {
  return builtInPolicy(text) ?? parsePolicy(text);
}

async function historyOf(store: MemoryStore): Promise<FileHistory> {
  for await (const [history] of histories(store.versions(rawFromText("")), plainNames))
    if (history !== undefined) return history;
  return assert.fail("expected a file");
}

/** A store with one file; `F` is an upload, `D` a deletion, each so many days ago. */
function storeWith(events: readonly (readonly ["F" | "D", number])[]): MemoryStore {
  const store = new MemoryStore({ now });
  for (const [what, daysAgo] of events) {
    const kind = what === "F" ? "file" : "marker";
    store.add(name, { kind, storedAt: now - daysAgo * day, size: 1, modifiedAt: undefined });
  }
  return store;
}

/** A letter for each decision, oldest first: k or r for contents, K or R for markers. */
function letters(decisions: readonly Decision[]): string {
  return decisions
    .map(({ version, action }) => (version.kind === "file" ? action : action.toUpperCase())[0])
    .join("");
}

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

test("windows are (a, b], the first with 0, and a ? in the middle may be gone", () => {
  const spanOf = (text: string, age: number, exists = true): string => {
    const window = windowOf(age * day, policy(text), () => exists);
    return window === undefined ? "none" : `${window.from}-${window.to}`;
  };
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
const ownText = fc
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
        const history = await historyOf(storeWith(events));
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

test("a 700-day-old file that was deleted yesterday is kept, and so is one never overwritten before", async () => {
  for (const each of Object.keys(builtInPolicies)) {
    const alone = plan(
      await historyOf(
        storeWith([
          ["F", 700],
          ["D", 1],
        ]),
      ),
      policy(each),
      now,
    );
    assert.equal(letters(alone), each === "none" ? "rR" : "kK", each);
    const second = plan(
      await historyOf(
        storeWith([
          ["F", 800],
          ["F", 700],
          ["D", 1],
        ]),
      ),
      policy(each),
      now,
    );
    // The older one was superseded 700 days ago; only what repeats for ever still holds it.
    const keeps = { none: "rrR", forever: "kkK", default: "kkK" }[each] ?? "rkK";
    assert.equal(letters(second), keeps, each);
  }
});

test("? forgives a deletion that is younger than its number", async () => {
  const decide = async (deletedDays: number, text = "1 7 ?"): Promise<string> =>
    letters(
      plan(
        await historyOf(
          storeWith([
            ["F", 900],
            ["F", 800],
            ["D", deletedDays],
          ]),
        ),
        policy(text),
        now,
      ),
    );
  assert.equal(await decide(6.99), "kkK");
  assert.equal(await decide(7), "rkK");
  assert.equal(await decide(8), "rrR");
  assert.equal(await decide(300, "default"), "kkK");
  assert.equal(await decide(365, "default"), "rkK");
  const recreated = await historyOf(
    storeWith([
      ["F", 900],
      ["F", 800],
      ["D", 500],
      ["F", 1],
    ]),
  );
  assert.equal(letters(plan(recreated, policy("1 7 ?"), now)), "kkKk");
});

test("a marker stays while something older does, and the current version always does", async () => {
  const cases: [events: Parameters<typeof storeWith>[0], text: string, letters: string][] = [
    [[["F", 1]], "none", "k"],
    [[["D", 1]], "forever", "R"],
    [
      [
        ["D", 9],
        ["F", 1],
      ],
      "forever",
      "Rk",
    ],
    [
      [
        ["F", 90],
        ["D", 80],
        ["F", 1],
      ],
      "one_month",
      "rRk",
    ],
    [
      [
        ["F", 90],
        ["D", 20],
        ["F", 1],
      ],
      "one_month",
      "kKk",
    ],
    [
      [
        ["F", 90],
        ["D", 80],
        ["F", 70],
        ["D", 3],
      ],
      "one_week",
      "rRkK",
    ],
    [
      [
        ["F", 90],
        ["D", 80],
        ["D", 70],
      ],
      "one_week",
      "rRR",
    ],
    [
      [
        ["F", 9],
        ["F", 8],
        ["F", 7.5],
        ["F", 7.2],
        ["F", 7.1],
      ],
      "7 *",
      "krrkk",
    ],
    [
      [
        ["F", 9],
        ["F", 8],
      ],
      "forever",
      "kk",
    ],
    [
      [
        ["F", 9],
        ["F", -1],
        ["F", -2],
      ],
      "1",
      "kkk",
    ],
  ];
  for (const [events, text, expected] of cases)
    assert.equal(
      letters(plan(await historyOf(storeWith(events)), policy(text), now)),
      expected,
      text,
    );
});

test("a version whose deletion has no credible time is kept, and with it what ? may hold", async () => {
  const lie = storeWith([
    ["F", 900],
    ["F", 800],
    ["D", 800],
  ]);
  const history = await historyOf(lie);
  assert.equal(letters(plan(history, policy("one_week"), now)), "rkK");
  assert.equal(letters(plan(history, policy("1 7 ?"), now)), "kkK");
  // These don't ask for the time.
  assert.equal(letters(plan(history, policy("none"), now)), "rrR");
  assert.equal(letters(purge(history, "old")), "rrR");
  const [, kept] = plan(history, policy("one_week"), now);
  assert.equal(kept?.reason, "the store doesn't tell when it was deleted");
});

test("every decision has its reason", async () => {
  const events: Parameters<typeof storeWith>[0] = [
    ["F", 900],
    ["F", 500],
    ["F", 13.5],
    ["F", 12],
    ["F", 11],
    ["F", 10],
    ["D", 9],
    ["F", 8],
    ["F", 2],
  ];
  const decisions = plan(await historyOf(storeWith(events)), policy("7 * 30"), now);
  assert.deepEqual(
    decisions.map(({ action, reason }) => `${action}: ${reason}`),
    [
      "remove: more than 30 days old",
      "keep: the oldest from 7 to 14 days old",
      "remove: neither the newest nor the oldest from 7 to 14 days old",
      "remove: neither the newest nor the oldest from 7 to 14 days old",
      "remove: neither the newest nor the oldest from 7 to 14 days old",
      "keep: the newest from 7 to 14 days old",
      "keep: it hides an older version",
      "keep: the only one from 0 to 7 days old",
      "keep: it is the current version",
    ],
  );
  const deleted = plan(
    await historyOf(
      storeWith([
        ["F", 900],
        ["D", 700],
      ]),
    ),
    policy("1 7 ?"),
    now,
  );
  assert.deepEqual(
    deleted.map(({ action, reason }) => `${action}: ${reason}`),
    [
      "remove: more than 7 days old, and the file was deleted 700 days ago",
      "remove: no older version is left to hide",
    ],
  );
});

test("purge takes every version but the current one, or that too, in order", async () => {
  const live = await historyOf(
    storeWith([
      ["F", 9],
      ["D", 8],
      ["F", 7],
      ["F", 6],
    ]),
  );
  assert.equal(letters(purge(live, "old")), "rRrk");
  assert.equal(letters(purge(live, "all")), "rRrr");
  const gone = await historyOf(
    storeWith([
      ["F", 9],
      ["D", 8],
    ]),
  );
  assert.equal(letters(purge(gone, "old")), "rR");
  assert.deepEqual(
    purge(live, "all").map(({ version }) => version),
    live.entries.toReversed(),
  );
});

const someEvents = fc
  .array(
    fc.tuple(
      fc.constantFrom<"F" | "D">("F", "F", "F", "D"),
      fc.integer({ min: 0, max: 2400 }).map((half) => half / 2),
    ),
    { minLength: 1, maxLength: 20 },
  )
  .map((events) => events.toSorted(([, a], [, b]) => b - a));
const somePolicy = fc
  .oneof(fc.constantFrom(...Object.keys(builtInPolicies)), ownText)
  .map((text) => policy(text));

/** Removes what a plan says, one after another, and gives back the store after every step. */
async function removing(
  store: MemoryStore,
  decisions: readonly Decision[],
): Promise<MemoryStore[]> {
  const states = [store];
  let last = store;
  for (const { version, action } of decisions) {
    if (action === "keep") continue;
    last = last.clone();
    await last.remove([version]);
    states.push(last);
  }
  return states;
}

function plainSize(size: number): number | undefined {
  return size === 5 ? undefined : size;
}

test("nothing goes of a file with a version that can't be ours", async () => {
  const store = new MemoryStore({ now: Date.UTC(2020, 0, 1) });
  for (const content of ["1", "22", "12345", "333"]) {
    store.put("f", content);
    store.clock += 1000 * day;
  }
  await store.hide(rawFromText("f"));
  const later = store.clock + 1000 * day;
  let seen = 0;
  for await (const [file] of histories(store.versions(rawFromText("")), {
    ...plainNames,
    plainSize,
  })) {
    assert.ok(file !== undefined);
    const all = [plan(file, policy("none"), later), purge(file, "old"), purge(file, "all")];
    for (const decisions of all) {
      assert.deepEqual(
        decisions.map(({ version, action }) => [version, action]),
        store
          .all()
          .toReversed()
          .map((version) => [version, "keep"]),
      );
      assert.ok(decisions.every(({ reason }) => /size that none of ours/.test(reason)));
      const before = new Map([["id-1", 7]]);
      assert.deepEqual(endsToRemember(file, decisions, before), before);
      seen += 1;
    }
  }
  assert.equal(seen, 3);
});

test("the current version is never touched, and a kill at any moment brings nothing back", async () => {
  await fc.assert(
    fc.asyncProperty(someEvents, somePolicy, fc.boolean(), async (events, each, purged) => {
      const store = storeWith(events);
      const history = await historyOf(store);
      const decisions = purged ? purge(history, "old") : plan(history, each, now);
      const ends = endsToRemember(history, decisions, undefined);
      assert.equal(decisions.length, events.length);
      const top = store.all()[0];
      const states = await removing(store, decisions);
      for (const state of states) {
        assert.deepEqual(state.visible(), store.visible());
        if (top?.kind === "file") assert.equal(state.all()[0], top);
        // The next run comes to the same end as one that nobody killed.
        if (state.all().length === 0) continue;
        const left = await historyOf(state);
        const again = purged ? purge(left, "old") : plan(left, each, now, ends);
        const resumed = await removing(state, again);
        assert.deepEqual(resumed.at(-1)?.all(), states.at(-1)?.all());
        // What is remembered by then is at least what the last run would remember.
        assertRemembered(history, await historyOf(state), ends);
        const more = endsToRemember(left, again, ends);
        const end = resumed.at(-1);
        if (end !== undefined && end.all().length > 0)
          assertRemembered(history, await historyOf(end), more);
      }
    }),
    { numRuns: 300 },
  );
});

/** Every version that is left has the end that it had when nothing was removed yet. */
function assertRemembered(before: FileHistory, after: FileHistory, ends: Ends): void {
  const truth = new Map(before.versions.map(({ stored, until }) => [stored.id, until]));
  for (const version of after.versions)
    assert.equal(endOf(version, ends), truth.get(version.stored.id));
}

test("what a policy keeps, a second run keeps as well, though it sees only what is left", async () => {
  await fc.assert(
    fc.asyncProperty(someEvents, somePolicy, async (events, each) => {
      const store = storeWith(events);
      const history = await historyOf(store);
      const decisions = plan(history, each, now);
      const ends = endsToRemember(history, decisions, undefined);
      const states = await removing(store, decisions);
      const last = states.at(-1) ?? store;
      if (last.all().length === 0) return;
      const left = await historyOf(last);
      assertRemembered(history, left, ends);
      const again = plan(left, each, now, ends);
      // Nothing of what is remembered is needless, and nothing is forgotten.
      assert.deepEqual(endsToRemember(left, again, ends), ends);
      for (const [id, end] of ends)
        assert.notEqual(left.versions.find(({ stored }) => stored.id === id)?.until, end);
      assert.deepEqual(
        again.filter(({ action }) => action === "remove").map(({ reason }) => reason),
        [],
      );
    }),
    { numRuns: 300 },
  );
});

test("an end is believed only where it can be true", async () => {
  const [, version] = (
    await historyOf(
      storeWith([
        ["F", 9],
        ["F", 5],
      ]),
    )
  ).versions;
  assert.ok(version !== undefined);
  const { id } = version.stored;
  const read = (daysAgo: number): number | undefined => {
    const end = endOf(version, new Map([[id, now - daysAgo * day]]));
    return end === undefined ? undefined : (now - end) / day;
  };
  assert.deepEqual([10, 9.1, 9, 7, 5, 4.9, 0].map(read), [5, 5, 9, 7, 5, 5, 5]);
  assert.equal(endOf(version, undefined), now - 5 * day);
  // What the store knows by itself comes first.
  const stored = { ...version.stored, endedAt: now - 8 * day };
  assert.equal(endOf({ ...version, stored }, new Map([[id, now - 7 * day]])), now - 8 * day);
  assert.equal(endOf({ ...version, until: undefined }, new Map([[id, now - 7 * day]])), undefined);
});

test("a store that knows the ends by itself needs none to be remembered", async () => {
  const store = new MemoryStore({ now });
  for (const ago of [9, 8, 7.5, 7.2]) {
    const endedAt = now - (ago === 7.2 ? 7.1 : ago - 0.3) * day;
    const fields = { kind: "file", size: 1, modifiedAt: undefined } as const;
    store.add(name, { ...fields, storedAt: now - ago * day, endedAt });
  }
  store.put("f");
  const history = await historyOf(store);
  const decisions = plan(history, policy("7 *"), now);
  assert.equal(letters(decisions), "krrkk");
  assert.deepEqual(endsToRemember(history, decisions, undefined), new Map());
});

/** The rows of a table of docs/retention.md that has these headings. */
function table(heading: string): string[][] {
  const [, rows = ""] = readPage("docs/retention.md").split(`| ${heading} |\n`);
  const lines = rows.split("\n").slice(1);
  return lines.slice(0, lines.indexOf("")).map((line) =>
    line
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", ""))
      .slice(1, -1),
  );
}

test("docs/retention.md: the worked example is what the policy does", async () => {
  const rows = table("superseded | decision | reason");
  assert.equal(rows.length, 9);
  const days = rows.map(([when = ""]) =>
    when === "never" ? undefined : Number.parseInt(when, 10),
  );
  // A version was stored when the one before it was superseded.
  const store = storeWith([100, ...days.flatMap((each) => each ?? [])].map((ago) => ["F", ago]));
  const decisions = plan(await historyOf(store), policy("7 * 30"), now);
  assert.deepEqual(
    decisions.map(({ action, reason }) => [action, reason]),
    rows.map(([, action, reason]) => [action, reason]),
  );
});

test("docs/retention.md: the table of policies is the built-in ones", () => {
  const rows = table("name | policy");
  assert.deepEqual(
    Object.fromEntries(rows),
    Object.fromEntries(
      Object.entries(builtInPolicies).map(([each, text]) => [each, text.replaceAll(/[()]/g, "")]),
    ),
  );
});
