// When versions ended whose successors are gone: what is remembered from run to run.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as fc from "fast-check";
import { histories } from "../lib/history/group.ts";
import { endOf } from "../lib/retention/ends.ts";
import { openEnds } from "../lib/retention/endsfile.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { plainNames, type MemoryStore } from "./helpers/memorystore.ts";
import {
  changing,
  idsOf,
  makePruning,
  remembered,
  storeOf,
  type Pruning,
} from "./helpers/pruning.ts";
import { day, now } from "./helpers/retention.ts";

const someFiles = fc.dictionary(
  fc.constantFrom("a", "b", "c/d", "ü", "z"),
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: 120 }), fc.boolean()), {
      minLength: 1,
      maxLength: 12,
    })
    .map((days) =>
      days
        .toSorted(([a], [b]) => b - a)
        .map(([half, deletes], index) => (deletes && index % 3 === 2 ? -half / 2 : half / 2)),
    ),
  { minKeys: 1 },
);
const somePolicy = fc.constantFrom("7 * 30 ?", "1 7 * 30", "30", "2 *", "10 * 20");

/** When every old version truly ended, by name and id, before anything was removed. */
async function truthOf(store: MemoryStore): Promise<Map<string, number | undefined>> {
  const truth = new Map<string, number | undefined>();
  for await (const page of histories(store.versions(rawFromText("")), plainNames))
    for (const { versions } of page)
      for (const { stored, until } of versions) truth.set(`${stored.name} ${stored.id}`, until);
  return truth;
}

/** Store and memory together still tell the truth about all that is left. */
async function assertTrue(
  store: MemoryStore,
  { ends }: Pruning,
  truth: ReadonlyMap<string, number | undefined>,
): Promise<void> {
  const known = new Map<string, Map<string, number>>();
  for await (const page of await openEnds(ends, (error) => assert.fail(String(error))))
    for (const { name, id, end } of page)
      known.set(name, new Map([...(known.get(name) ?? []), [id, end]]));
  for await (const page of histories(store.versions(rawFromText("")), plainNames))
    for (const { name, versions } of page)
      for (const version of versions)
        assert.equal(endOf(version, known.get(name)), truth.get(`${name} ${version.stored.id}`));
}

test("killed at any moment, the next run comes to the same end", async (t) => {
  await fc.assert(
    fc.asyncProperty(someFiles, somePolicy, fc.nat(40), async (files, policy, moment) => {
      const whole = await makePruning(t);
      const wanted = storeOf(files);
      const { applied } = await whole.run(wanted, policy);
      assert.equal(applied?.stopped, undefined);
      const killed = await makePruning(t);
      const store = storeOf(files);
      const visible = store.visible();
      const truth = await truthOf(store);
      if (moment === 0) await killed.run(store, policy, { killedBefore: "removals" });
      else {
        store.faults = {
          removeCall: (removed) => (removed >= moment - 1 ? new Error("killed") : undefined),
        };
        await killed.run(store, policy);
        store.faults = {};
      }
      assert.deepEqual(store.visible(), visible);
      await assertTrue(store, killed, truth);
      await killed.run(store, policy);
      assert.deepEqual(store.all(), wanted.all());
      // And a week later, both have forgotten nothing.
      for (const each of [store, wanted]) each.clock += 7 * day;
      await Promise.all([killed.run(store, policy), whole.run(wanted, policy)]);
      assert.deepEqual(store.all(), wanted.all());
      assert.deepEqual(store.visible(), visible);
      await assertTrue(store, killed, truth);
      await assertTrue(wanted, whole, truth);
    }),
    { numRuns: 60 },
  );
});

test("a dry run decides what the real one does, and writes nothing; a second run does nothing", async (t) => {
  const pruning = await makePruning(t);
  const store = storeOf({ a: changing, b: [9, 8], c: changing, d: [900, -800] });
  const dry = await pruning.run(store, "7 *", { dryRun: true });
  assert.equal(await remembered(pruning), undefined);
  const real = await pruning.run(store, "7 *");
  assert.deepEqual(real.decisions, dry.decisions);
  assert.equal(idsOf(real.decisions).length, 4);
  assert.equal(real.applied?.removed, 4);
  assert.deepEqual(await remembered(pruning), ["a: 8", "c: 8"]);
  const written = await readFile(pruning.ends);
  store.clock += 1;
  const [dryAgain, again] = [
    await pruning.run(store, "7 *", { dryRun: true }),
    await pruning.run(store, "7 *"),
  ];
  assert.deepEqual([dryAgain.decisions, again.decisions], [[], []]);
  assert.deepEqual(await readFile(pruning.ends), written, "nothing is new, so nothing is written");
  // The oldest one moves on by its true end, 8 days ago: it would seem to be of 7.1 days ago.
  store.clock = now + 6.5 * day;
  const later = await pruning.run(store, "7 14", { dryRun: true });
  assert.deepEqual(
    later.decisions.filter(({ path }) => path === "a").map(({ reason }) => reason),
    ["more than 14 days old"],
  );
});

test("where nothing goes and nothing is to be remembered, no file is made", async (t) => {
  const pruning = await makePruning(t);
  await pruning.run(storeOf({ a: [3], b: [9, 8] }), "7 *");
  assert.equal(await remembered(pruning), undefined);
});

test("files that a run does not visit keep what is remembered; what is gone is forgotten", async (t) => {
  const pruning = await makePruning(t);
  const files = { a: changing, b: changing, c: changing, d: changing };
  const store = storeOf(files);
  await pruning.run(store, "7 *", { startAt: rawFromText("b"), stopAt: rawFromText("d") });
  assert.deepEqual(await remembered(pruning), ["b: 8", "c: 8"]);
  await pruning.run(store, "7 *", { startAt: rawFromText("d") });
  assert.deepEqual(await remembered(pruning), ["b: 8", "c: 8", "d: 8"]);
  await pruning.run(store, "7 *", { maxFiles: 1 });
  assert.deepEqual(await remembered(pruning), ["a: 8", "b: 8", "c: 8", "d: 8"]);
  // Somebody else removes b and d; only the files up to c are looked at.
  for (const version of store.all())
    if (version.name === "b" || version.name === "d") await store.remove([version]);
  await pruning.run(store, "7 *", { stopAt: rawFromText("c") });
  assert.deepEqual(await remembered(pruning), ["a: 8", "c: 8", "d: 8"]);
  await pruning.run(store, "7 *");
  assert.deepEqual(await remembered(pruning), ["a: 8", "c: 8"]);
  // --purge leaves nothing to remember, once all of it is gone.
  await pruning.run(store, "7 *", { purge: true });
  await pruning.run(store, "7 *", { purge: true });
  assert.deepEqual(await remembered(pruning), []);
  assert.equal(store.all().length, 2);
});

test("--max-files stops before a file of which something is remembered", async (t) => {
  const pruning = await makePruning(t);
  const store = storeOf({ a: changing, b: changing });
  await pruning.run(store, "7 *");
  store.clock += 30 * day;
  const { decisions } = await pruning.run(store, "7", { maxFiles: 1 });
  assert.ok(decisions.every(({ path }) => path === "a"));
  assert.deepEqual(await remembered(pruning), ["a: 8", "b: 8"]);
  await pruning.run(store, "7", { maxFiles: 1 });
  assert.deepEqual(await remembered(pruning), ["b: 8"]);
});

test("what can't be removed has its end remembered as long as it is there", async (t) => {
  const pruning = await makePruning(t);
  const store = storeOf({ a: changing });
  await pruning.run(store, "7 *");
  store.clock += 30 * day;
  store.faults = { remove: () => new Error("no") };
  await pruning.run(store, "7");
  await pruning.run(store, "7");
  assert.deepEqual(await remembered(pruning), ["a: 8"]);
});

test("a listing that breaks off removes nothing and leaves what is remembered", async (t) => {
  const pruning = await makePruning(t);
  const store = storeOf({ a: changing, b: changing, c: changing });
  await pruning.run(store, "7 *", { stopAt: rawFromText("b") });
  const written = await readFile(pruning.ends);
  const before = store.all();
  store.faults = { list: (page) => (page === 3 ? new Error("broke off") : undefined) };
  await assert.rejects(pruning.run(store, "7 *"), /broke off/);
  assert.deepEqual(store.all(), before);
  assert.deepEqual(await readFile(pruning.ends), written);
});
