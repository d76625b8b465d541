import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Names } from "../lib/crypt/names.ts";
import { at, perhapsAt } from "../lib/history/at.ts";
import { histories } from "../lib/history/group.ts";
import type { FileHistory } from "../lib/history/history.ts";
import type { Pages } from "../lib/manifest/pages.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import type { RawPath } from "../lib/units/rawpath.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";

const everything = rawFromText("");

async function all(pages: Pages<FileHistory>): Promise<FileHistory[]> {
  const found: FileHistory[] = [];
  for await (const page of pages) found.push(...page);
  return found;
}

async function historiesOf(store: MemoryStore): Promise<FileHistory[]> {
  return all(histories(store.versions(everything), plainNames));
}

async function historyOf(store: MemoryStore): Promise<FileHistory> {
  const [history] = await historiesOf(store);
  assert.ok(history !== undefined);
  return history;
}

test("a file's versions have spans, and its markers end them", async () => {
  const store = new MemoryStore({ now: 100 });
  store.put("f", "one");
  store.clock = 200;
  store.put("f", "second");
  store.clock = 300;
  await store.hide(rawFromText("f"));
  store.clock = 400;
  store.put("f", "");
  const history = await historyOf(store);
  assert.deepEqual(
    history.versions.map(({ from, until, end, size, doubtful }) => ({
      from,
      until,
      end,
      size,
      doubtful,
    })),
    [
      { from: 400, until: undefined, end: "current", size: 0, doubtful: false },
      { from: 200, until: 300, end: "deleted", size: 6, doubtful: false },
      { from: 100, until: 200, end: "superseded", size: 3, doubtful: false },
    ],
  );
  assert.equal(history.current, history.versions[0]);
  assert.equal(history.deletedAt, undefined);
  assert.deepEqual(
    history.markers.map(({ storedAt }) => storedAt),
    [300],
  );
  assert.deepEqual(history.entries, store.all());
  const sizes = [99, 100, 199, 200, 299, 300, 399, 400, 1e15].map(
    (time) => at(history, time)?.size,
  );
  assert.deepEqual(sizes, [undefined, 3, 3, 6, 6, undefined, undefined, 0, 0]);

  store.clock = 500;
  await store.hide(rawFromText("f"));
  store.clock = 600;
  await store.hide(rawFromText("f"));
  const deleted = await historyOf(store);
  assert.equal(deleted.current, undefined);
  assert.equal(deleted.deletedAt, 500);
  assert.equal(at(deleted, 499)?.size, 0);
  assert.equal(at(deleted, 500), undefined);
});

test("a marker alone is a file that was deleted and holds nothing", async () => {
  const store = new MemoryStore({ now: 100 });
  await store.hide(rawFromText("f"));
  const history = await historyOf(store);
  assert.deepEqual([history.versions, history.current, history.deletedAt], [[], undefined, 100]);
  assert.equal(at(history, 100), undefined);
});

test("a store that lies about the time of a deletion is doubted, and no span is negative", async () => {
  for (const lie of [-1000, 0, 1]) {
    const markerTime = (_: number, covered: StoredVersion | undefined): number =>
      (covered?.storedAt ?? 0) + lie;
    const store = new MemoryStore({ now: 100, markerTime });
    store.put("f");
    store.clock = 500;
    await store.hide(rawFromText("f"));
    const history = await historyOf(store);
    const until = lie === 1 ? 101 : 100;
    assert.deepEqual(
      history.versions.map((version) => [version.from, version.until, version.doubtful]),
      [[100, until, lie !== 1]],
    );
    assert.deepEqual([history.current, history.deletedAt], [undefined, until]);
    assert.equal(at(history, until), undefined);
    assert.equal(at(history, 99), undefined);
    assert.equal(perhapsAt(history, 99), undefined);
    const perhaps = lie === 1 ? undefined : history.versions[0];
    assert.equal(perhapsAt(history, 300), perhaps);
    store.clock = 600;
    store.put("f", "new");
    const again = await historyOf(store);
    assert.equal(perhapsAt(again, 599)?.size, perhaps?.size);
    assert.equal(perhapsAt(again, 600), undefined);
    assert.equal(at(again, 600)?.size, 3);
  }
});

test("versions whose times are in disorder have no negative span", async () => {
  const time = fc.integer({ min: 0, max: 20 });
  const entry = fc.record({ storedAt: time, kind: fc.constantFrom("file", "marker") });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1 }), async (entries) => {
      const store = new MemoryStore({ now: 100 });
      for (const { storedAt, kind } of entries)
        store.add(rawFromText("f"), { kind, storedAt, size: 0, modifiedAt: undefined });
      const history = await historyOf(store);
      assert.equal(history.versions.length + history.markers.length, entries.length);
      for (const { from, until } of history.versions)
        assert.ok(until === undefined || until >= from);
      assert.equal(
        history.current?.stored,
        entries.at(-1)?.kind === "file" ? store.all()[0] : undefined,
      );
      assert.equal(history.deletedAt === undefined, history.current !== undefined);
      if (history.current === undefined) assert.equal(at(history, 21), undefined);
    }),
  );
});

test("what a version is uncertain about does not change the spans", async () => {
  const store = new MemoryStore({ now: 100 });
  const fields = { kind: "file", size: 1, modifiedAt: undefined } as const;
  store.add(rawFromText("f"), { ...fields, storedAt: 100 });
  store.add(rawFromText("f"), { ...fields, storedAt: 200, uncertain: true });
  const history = await historyOf(store);
  assert.equal(at(history, 199)?.stored.uncertain, undefined);
  assert.equal(at(history, 200)?.stored.uncertain, true);
});

test("names that span pages are one file, however the pages are cut", async () => {
  const file = fc.record({
    name: fc.constantFrom("a", "a/b", "b", "b!", "é"),
    kind: fc.constantFrom("file", "marker"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(file), fc.integer({ min: 1, max: 5 }), async (files, pageLength) => {
      const make = (length: number): MemoryStore => {
        const store = new MemoryStore({ now: 0, pageLength: length });
        for (const { name, kind } of files) {
          store.clock += 1;
          const fields = { kind, storedAt: store.clock, size: 1, modifiedAt: undefined };
          store.add(rawFromText(name), fields);
        }
        return store;
      };
      assert.deepEqual(await historiesOf(make(pageLength)), await historiesOf(make(1000)));
      assert.deepEqual(
        (await historiesOf(make(pageLength))).flatMap(({ entries }) => entries),
        make(1).all(),
      );
    }),
  );
});

test("names are decoded once a page, and foreign ones are reported and left out", async () => {
  const store = new MemoryStore({ pageLength: 3 });
  for (const name of ["A", "A", "A", "A", "B", "bad", "bad", "C", "big", "big", "empty", "dir/"])
    store.put(name, name === "big" ? "12345" : "1");
  const batches: (readonly RawPath[])[] = [];
  const names: Names = {
    decode(stored) {
      batches.push(stored);
      return stored.map((name) =>
        name === "bad" ? undefined : rawFromBytes(name === "empty" ? "" : name.toLowerCase()),
      );
    },
    encode: (plain) => plain,
    plainSize: (size) => (size === 5 ? undefined : size - 1),
  };
  const foreign: [string, number, string][] = [];
  const onUndecodable = (name: RawPath, count: number, why: string): void => {
    foreign.push([name, count, why]);
  };
  const found = await all(histories(store.versions(everything), names, { onUndecodable }));
  assert.deepEqual(
    found.map(({ path, name, versions }) => [path, name, versions.length, versions[0]?.size]),
    [
      ["a", "A", 4, 0],
      ["b", "B", 1, 0],
      ["c", "C", 1, 0],
    ],
  );
  assert.deepEqual(foreign, [
    ["bad", 2, "name"],
    ["big", 2, "size"],
    ["dir/", 1, "name"],
    ["empty", 1, "name"],
  ]);
  // 12 versions are 4 pages and an empty one, and the last name is known to be whole at the end.
  assert.ok(batches.length <= 6, `${batches.length} calls`);
  assert.deepEqual(batches.flat(), ["A", "B", "C", "bad", "big", "dir/", "empty"]);
});

function made(name: string): StoredVersion {
  const fields = { kind: "file", size: 0, storedAt: 0, modifiedAt: undefined } as const;
  return { name: rawFromText(name), id: name, ...fields };
}

/** A version whose place in the order of its store is not that of its name. */
function placed(name: string, order: string, id: string): StoredVersion {
  const own = order === name ? {} : { order: rawFromText(order) };
  return { ...made(name), id, ...own };
}

async function* byItsOwnOrder(): Pages<StoredVersion> {
  yield [placed("aZ", "aZ", "1"), placed("ab", "ab", "2"), placed("a\\z", "a＼z", "3")];
  yield [placed("a\\z", "a＼z", "4"), placed("b", "b", "5")];
}

test("a store's own order counts, and only what has one place in it is one file", async () => {
  const found = await all(histories(byItsOwnOrder(), plainNames));
  assert.deepEqual(
    found.map(({ path, order, entries }) => [path, order, entries.map(({ id }) => id)]),
    [
      ["aZ", "aZ", ["1"]],
      ["ab", "ab", ["2"]],
      ["a\\z", rawFromText("a＼z"), ["3", "4"]],
      ["b", "b", ["5"]],
    ],
  );
});

function notFive(size: number): number | undefined {
  return size === 5 ? undefined : size;
}

test("a version of an impossible size is left out, and its file is marked", async () => {
  const names: Names = { ...plainNames, plainSize: notFive };
  for (const [contents, sizes, current, deletedAt] of [
    [["1", "12345", "333"], [3, 1], 3, undefined],
    [["1", "12345"], [1], undefined, undefined],
    [["1", "12345", "hide"], [1], undefined, 3],
    [["1", "12345", "hide", "hide"], [1], undefined, 3],
    [["12345", "1", "hide"], [1], undefined, 3],
  ] as const) {
    const store = new MemoryStore({ now: 1 });
    for (const content of contents) {
      if (content === "hide") await store.hide(rawFromText("f"));
      else store.put("f", content);
      store.clock += 1;
    }
    const foreign: [string, number, string][] = [];
    const onUndecodable = (name: RawPath, count: number, why: string): void => {
      foreign.push([name, count, why]);
    };
    const [file] = await all(histories(store.versions(everything), names, { onUndecodable }));
    assert.ok(file !== undefined);
    assert.deepEqual(foreign, [["f", 1, "size"]]);
    assert.equal(file.foreign, 1);
    assert.equal(file.entries.length, contents.length);
    assert.deepEqual(
      file.versions.map(({ size }) => size),
      sizes,
    );
    assert.equal(file.current?.size, current);
    assert.equal(file.deletedAt, deletedAt);
    // What it was while the version that can't be read was the current one is not known.
    assert.equal(at(file, contents.indexOf("12345") + 1), undefined);
  }
});

async function* outOfOrder(): Pages<StoredVersion> {
  yield [made("b")];
  yield [made("a")];
}

test("a listing out of order, and one that breaks off, end with an error", async () => {
  await assert.rejects(all(histories(outOfOrder(), plainNames)), /list versions by name/);
  const error = new Error("broken off");
  const faults = { list: (page: number) => (page === 2 ? error : undefined) };
  const store = new MemoryStore({ pageLength: 1, faults });
  for (const name of ["a", "b", "c", "d"]) store.put(name);
  await assert.rejects(historiesOf(store), error);
});

test("at(time) equals a plain model after any operations (1,000 sequences)", async () => {
  const operation = fc.record({
    wait: fc.integer({ min: 1, max: 5 }),
    name: fc.constantFrom("a", "b", "dir/a", "dir/ b"),
    what: fc.constantFrom("write", "write", "delete", "restore"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
      const store = new MemoryStore({ now: 1000, pageLength: 3 });
      const model = new Map<string, string>();
      const moments: [time: number, state: Map<string, string>][] = [[999, new Map()]];
      for (const { wait, name, what } of operations) {
        const before = new Map(model);
        for (let passed = 0; passed < wait; passed += 1)
          moments.push([store.clock + passed, before]);
        store.clock += wait;
        if (what === "write") {
          const content = `${name} at ${store.clock}${"!".repeat(store.clock % 7)}`;
          store.put(name, content);
          model.set(name, content);
        } else if (what === "delete") {
          if (!model.delete(name)) continue;
          await store.hide(rawFromText(name));
        } else {
          const old = (await store.versionsOf(rawFromText(name))).findLast(
            ({ kind }) => kind === "file",
          );
          if (old === undefined) continue;
          const bytes = await (await store.open(old)).toArray();
          await store.makeCurrent(old);
          model.set(name, Buffer.concat(bytes).toString());
        }
      }
      moments.push([store.clock, new Map(model)], [store.clock + 1000, model]);
      const found = await historiesOf(store);
      for (const [time, state] of moments) {
        const shown = new Map<string, string>();
        for (const history of found) {
          const version = at(history, time);
          if (version === undefined) continue;
          const bytes = await (await store.open(version.stored)).toArray();
          shown.set(history.path, Buffer.concat(bytes).toString());
        }
        assert.deepEqual(shown, state, `at ${time}`);
      }
      assert.deepEqual(
        found.filter(({ current }) => current !== undefined).map(({ path }) => path),
        [...model.keys()].toSorted(),
      );
    }),
    { numRuns: 1000 },
  );
});
