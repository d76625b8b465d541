// A year and more of nights, each with its prune: every window keeps what it should.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { at } from "../lib/history/at.ts";
import { windowOf } from "../lib/retention/windows.ts";
import { builtInPolicies, parsePolicy } from "../lib/units/policy.ts";
import { MemoryStore } from "./helpers/memorystore.ts";
import { makePruning, onlyHistory } from "./helpers/pruning.ts";
import { day, now } from "./helpers/retention.ts";

/** The windows in which the versions are that truly ended `step` after they came. */
async function filledWindows(
  store: MemoryStore,
  policy: string,
  step: number,
): Promise<Map<number, number>> {
  const filled = new Map<number, number>();
  for (const { from, until } of (await onlyHistory(store)).versions) {
    if (until === undefined) continue;
    const window = windowOf(store.clock - (from + step), parsePolicy(policy), () => true);
    if (window !== undefined) filled.set(window.to, (filled.get(window.to) ?? 0) + 1);
  }
  return filled;
}

const byDefault = builtInPolicies["default"] ?? "";
const months = Array.from({ length: 11 }, (_, index) => 60 + 30 * index);

test("pruned every night for two years, a file that changes daily keeps a version in each window", async (t) => {
  const pruning = await makePruning(t);
  const store = new MemoryStore({ now });
  for (let night = 0; night < 760; night += 1) {
    store.put("f");
    store.clock += day;
    await pruning.run(store, byDefault);
  }
  const filled = await filledWindows(store, byDefault, day);
  // (28, 30] and (360, 365] are shorter than the spans before them, and may be empty on a day.
  const wanted = [1, 2, 3, 4, 5, 6, 7, 14, 21, 28, ...months, 730];
  assert.deepEqual(
    wanted.filter((end) => !filled.has(end)),
    [],
  );
  for (const [end, count] of filled) assert.ok(count <= 2, `${count} in the window up to ${end}`);
  const history = await onlyHistory(store);
  for (const [days, gap] of [
    [6, 1],
    [13, 8],
    [27, 15],
    [90, 61],
    [350, 61],
    [700, 366],
  ] as const) {
    const then = store.clock - days * day;
    const found = at(history, then);
    assert.ok(found !== undefined && then - found.from <= gap * day, `${days} days ago`);
  }
  assert.deepEqual(pruning.warnings, []);
});

test("pruned every night, a file that changes four times a day keeps two of each day", async (t) => {
  const pruning = await makePruning(t);
  const store = new MemoryStore({ now });
  const policy = builtInPolicies["one_year_all"] ?? "";
  for (let night = 0; night < 380; night += 1) {
    for (let hour = 0; hour < 24; hour += 6) {
      store.put("f");
      store.clock += day / 4;
    }
    await pruning.run(store, policy);
  }
  const filled = await filledWindows(store, policy, day / 4);
  for (let end = 1; end <= 365; end += 1) assert.equal(filled.get(end), 2, `up to ${end} days`);
  assert.equal(filled.size, 365);
  const history = await onlyHistory(store);
  for (let days = 1; days < 364; days += 1) {
    const then = store.clock - days * day;
    const found = at(history, then);
    assert.ok(found !== undefined && then - found.from <= day, `${days} days ago`);
  }
});

test("lost every night, nothing that is current or new is harmed", async (t) => {
  const pruning = await makePruning(t);
  const store = new MemoryStore({ now });
  for (let night = 0; night < 150; night += 1) {
    const top = store.put("f");
    store.clock += day;
    await pruning.run(store, byDefault);
    await rm(pruning.ends, { force: true });
    assert.equal(store.all()[0], top);
  }
  const filled = await filledWindows(store, byDefault, day);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].filter((end) => !filled.has(end)),
    [],
  );
  assert.deepEqual(pruning.warnings, []);
});
