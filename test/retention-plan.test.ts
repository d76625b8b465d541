// Which versions of a file stay, which go, and why.
import assert from "node:assert/strict";
import { test } from "node:test";
import { histories } from "../lib/history/group.ts";
import { endsToRemember } from "../lib/retention/remember.ts";
import { plan, purge } from "../lib/retention/plan.ts";
import { builtInPolicies } from "../lib/units/policy.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";
import { readPage } from "./helpers/pages.ts";
import { onlyHistory } from "./helpers/pruning.ts";
import { day, letters, now, policy, storeWith } from "./helpers/retention.ts";

test("a 700-day-old file that was deleted yesterday is kept, and so is one never overwritten before", async () => {
  for (const each of Object.keys(builtInPolicies)) {
    const alone = plan(
      await onlyHistory(
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
      await onlyHistory(
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

/** The decisions on a file with two versions that was deleted so many days ago. */
async function decide(deletedDays: number, text = "1 7 ?"): Promise<string> {
  const store = storeWith([
    ["F", 900],
    ["F", 800],
    ["D", deletedDays],
  ]);
  return letters(plan(await onlyHistory(store), policy(text), now));
}

test("? forgives a deletion that is younger than its number", async () => {
  assert.equal(await decide(6.99), "kkK");
  assert.equal(await decide(7), "rkK");
  assert.equal(await decide(8), "rrR");
  assert.equal(await decide(300, "default"), "kkK");
  assert.equal(await decide(365, "default"), "rkK");
  const recreated = await onlyHistory(
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
      letters(plan(await onlyHistory(storeWith(events)), policy(text), now)),
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
  const history = await onlyHistory(lie);
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
  const decisions = plan(await onlyHistory(storeWith(events)), policy("7 * 30"), now);
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
    await onlyHistory(
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
  const live = await onlyHistory(
    storeWith([
      ["F", 9],
      ["D", 8],
      ["F", 7],
      ["F", 6],
    ]),
  );
  assert.equal(letters(purge(live, "old")), "rRrk");
  assert.equal(letters(purge(live, "all")), "rRrr");
  const gone = await onlyHistory(
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
  const decisions = plan(await onlyHistory(store), policy("7 * 30"), now);
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
