import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { at } from "../lib/history/at.ts";
import { histories } from "../lib/history/group.ts";
import { endOf } from "../lib/retention/ends.ts";
import { formatEnd, openEnds, type RememberedEnd } from "../lib/retention/endsfile.ts";
import { EndsWalk } from "../lib/retention/endswalk.ts";
import { windowOf } from "../lib/retention/windows.ts";
import { builtInPolicies, parsePolicy } from "../lib/units/policy.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";
import { idsOf, makePruning, onlyHistory, type Pruning } from "./helpers/pruning.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);

/** Files with versions so many days ago, the oldest first; a negative number is a deletion. */
function storeOf(files: Readonly<Record<string, readonly number[]>>): MemoryStore {
  const store = new MemoryStore({ now, pageLength: 3 });
  for (const [name, days] of Object.entries(files))
    for (const each of days) {
      const kind = each < 0 ? "marker" : "file";
      const storedAt = now - Math.abs(each) * day;
      store.add(rawFromText(name), { kind, size: 0, modifiedAt: undefined, storedAt });
    }
  return store;
}

/** Under `7 *`, the one of 9 days stays as the oldest of its window, and all but the last go. */
const changing = [9, 8, 7.5, 7.2, 7.1];

/** What is remembered, `name: days ago`; undefined where there is no file. */
async function remembered({ ends }: Pruning): Promise<string[] | undefined> {
  if (!existsSync(ends)) return undefined;
  const [magic, header = "", ...rest] = gunzipSync(await readFile(ends))
    .toString()
    .split("\n");
  assert.equal(magic, "#rclone-backups ends 1");
  assert.match(header, /^#\{"destination":"memory:","prunedAt":"20\d\d-.*Z"\}$/);
  assert.deepEqual(rest.slice(-2), [`#end {"versions":${rest.length - 2}}`, ""]);
  return rest.slice(0, -2).map((line) => {
    const [name, , end] = line.split("\t");
    return `${name}: ${(now - Number(end)) / day}`;
  });
}

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

test("a damaged file is told once, ignored and written anew", async (t) => {
  const whole = await makePruning(t);
  await whole.run(storeOf({ a: changing, b: changing }), "7 *");
  const good = await readFile(whole.ends);
  const text = gunzipSync(good).toString();
  const flipped = Buffer.from(good);
  const middle = Math.floor(good.length / 2);
  flipped[middle] = (flipped[middle] ?? 0) ^ 0x55;
  const damages: readonly (readonly [string, Buffer | undefined])[] = [
    ["empty", Buffer.alloc(0)],
    ["cut", good.subarray(0, -9)],
    ["flipped", flipped],
    ["no list", Buffer.from("hello\n")],
    ["a line too few", gzipSync(text.replace(/\na\t.*/, ""))],
    ["without its end", gzipSync(text.replace(/#end.*\n/, ""))],
    ["not sorted", gzipSync(text.replace("\na\t", "\nc\t"))],
    ["no number", gzipSync(text.replace(/\d+\nb\t/, "soon\nb\t"))],
    ["a wrong id", gzipSync(text.replace(/\na\t[^\t]*/, "\na\t%zz"))],
    ["a directory", undefined],
  ];
  for (const [what, bytes] of damages) {
    const pruning = await makePruning(t);
    if (bytes === undefined) await mkdir(pruning.ends);
    else await writeFile(pruning.ends, bytes);
    const store = storeOf({ a: changing, b: changing });
    const dry = await pruning.run(store, "7 *", { dryRun: true });
    assert.equal(pruning.warnings.length, 1, what);
    assert.match(pruning.warnings[0] ?? "", /ends\.gz.*are kept longer|EISDIR/, what);
    if (bytes === undefined) {
      // What can't be replaced stops the run before anything is removed.
      const before = store.all();
      await assert.rejects(pruning.run(store, "7 *"), /ends\.gz/);
      assert.deepEqual(store.all(), before);
      continue;
    }
    assert.deepEqual(await readFile(pruning.ends), bytes, what);
    const real = await pruning.run(store, "7 *");
    assert.deepEqual(real.decisions, dry.decisions, what);
    assert.deepEqual(await remembered(pruning), ["a: 8", "b: 8"], what);
    await pruning.run(store, "7 *");
    assert.equal(pruning.warnings.length, 2, what);
  }
});

test("a damaged file is written anew though nothing goes", async (t) => {
  const pruning = await makePruning(t);
  await writeFile(pruning.ends, "?");
  const store = storeOf({ a: [9, 8] });
  await pruning.run(store, "7 *");
  assert.deepEqual(await remembered(pruning), []);
  await pruning.run(store, "7 *");
  assert.equal(pruning.warnings.length, 1);
});

const someEnds = fc
  .uniqueArray(
    fc.record({
      name: fc
        .tuple(fc.constantFrom("", "#end {"), fc.uint8Array({ minLength: 1, maxLength: 6 }))
        .map(([head, bytes]) => head + Buffer.from(bytes).toString("latin1")),
      id: fc.string({ unit: "grapheme", minLength: 1 }).map((id) => `${id}\n\t%`),
      end: fc.integer({ min: 0, max: now }),
    }),
    { selector: ({ name, id }) => `${name} ${id}`, maxLength: 40 },
  )
  .map((ends): RememberedEnd[] =>
    ends
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
      .map((each) => ({ ...each, name: rawFromBytes(each.name) })),
  );

test("any name and any id is read as it was written", async (t) => {
  const { ends: file } = await makePruning(t);
  await fc.assert(
    fc.asyncProperty(someEnds, async (ends) => {
      const text = ends.map(({ name, id, end }) => `${formatEnd(name, id, end)}\n`).join("");
      const head = '#rclone-backups ends 1\n#{"destination":"","prunedAt":""}\n';
      const end = `#end {"versions":${ends.length}}\n`;
      await writeFile(file, gzipSync(Buffer.from(`${head}${text}${end}`, "latin1")));
      const found: RememberedEnd[] = [];
      for await (const page of await openEnds(file, (error) => assert.fail(String(error))))
        found.push(...page);
      assert.deepEqual(found, ends);
    }),
    { numRuns: 100 },
  );
});

test("no more than a page of what is remembered is held", async () => {
  let pages = 0;
  async function* many(): AsyncGenerator<RememberedEnd[]> {
    for (let page = 0; page < 100; page += 1) {
      pages += 1;
      const name = rawFromText(String(page).padStart(3, "0"));
      yield [0, 1].map((id) => ({ name, id: String(id), end: page }));
    }
  }
  const written: string[] = [];
  const walk = new EndsWalk(many(), { write: (line) => written.push(line), visits: () => true });
  for (let page = 0; page < 100; page += 2) {
    const name = rawFromText(String(page).padStart(3, "0"));
    assert.ok(walk.reaches(name));
    const before = await walk.take(name);
    assert.deepEqual(before, new Map([...["0", "1"].map((id) => [id, page] as const)]));
    assert.ok(pages <= page + 2);
    assert.equal(walk.reaches(name), false);
    if (before !== undefined) walk.remember(name, before, before);
  }
  await walk.finish(false);
  assert.deepEqual([walk.lines, written.length, walk.changed], [100, 100, true]);
});
