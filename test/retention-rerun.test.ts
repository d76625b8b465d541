// A run after another, whole or killed: it sees only what is left, and comes to the same end.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { FileHistory } from "../lib/history/history.ts";
import { endOf, type Ends } from "../lib/retention/ends.ts";
import { plan, purge, type Decision } from "../lib/retention/plan.ts";
import { endsToRemember } from "../lib/retention/remember.ts";
import { builtInPolicies } from "../lib/units/policy.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore } from "./helpers/memorystore.ts";
import { onlyHistory } from "./helpers/pruning.ts";
import { day, letters, now, ownText, policy, storeWith } from "./helpers/retention.ts";

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

test("the current version is never touched, and a kill at any moment brings nothing back", async () => {
  await fc.assert(
    fc.asyncProperty(someEvents, somePolicy, fc.boolean(), async (events, each, purged) => {
      const store = storeWith(events);
      const history = await onlyHistory(store);
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
        const left = await onlyHistory(state);
        const again = purged ? purge(left, "old") : plan(left, each, now, ends);
        const resumed = await removing(state, again);
        assert.deepEqual(resumed.at(-1)?.all(), states.at(-1)?.all());
        // What is remembered by then is at least what the last run would remember.
        assertRemembered(history, await onlyHistory(state), ends);
        const more = endsToRemember(left, again, ends);
        const end = resumed.at(-1);
        if (end !== undefined && end.all().length > 0)
          assertRemembered(history, await onlyHistory(end), more);
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
      const history = await onlyHistory(store);
      const decisions = plan(history, each, now);
      const ends = endsToRemember(history, decisions, undefined);
      const states = await removing(store, decisions);
      const last = states.at(-1) ?? store;
      if (last.all().length === 0) return;
      const left = await onlyHistory(last);
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
    await onlyHistory(
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
    store.add(rawFromText("f"), { ...fields, storedAt: now - ago * day, endedAt });
  }
  store.put("f");
  const history = await onlyHistory(store);
  const decisions = plan(history, policy("7 *"), now);
  assert.equal(letters(decisions), "krrkk");
  assert.deepEqual(endsToRemember(history, decisions, undefined), new Map());
});
