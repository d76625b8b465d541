import assert from "node:assert/strict";
import { test } from "node:test";
import { histories } from "../lib/history/group.ts";
import type { Pages } from "../lib/manifest/pages.ts";
import { onePage } from "../lib/manifest/pages.ts";
import type { Removals } from "../lib/retention/apply.ts";
import { apply } from "../lib/retention/apply.ts";
import { purge } from "../lib/retention/plan.ts";
import type { Removal, StoredVersion } from "../lib/stores/store.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./helpers/memorystore.ts";

const top = rawFromText("");

/** A store of deleted files: `count` versions each, a marker on top. */
async function deletedFiles(files: number, count: number): Promise<MemoryStore> {
  const store = new MemoryStore({ pageLength: 7 });
  for (let file = 0; file < files; file += 1) {
    const name = `f${String(file).padStart(5, "0")}`;
    for (let version = 0; version < count; version += 1) {
      store.clock += 1;
      store.put(name, "x");
    }
    store.clock += 1;
    await store.hide(rawFromText(name));
  }
  return store;
}

async function* removalsOf(store: MemoryStore): Pages<Removals> {
  for await (const page of histories(store.versions(top), plainNames))
    yield page.map((history) => ({
      path: history.path,
      versions: purge(history, "old").flatMap(({ version, action }) =>
        action === "remove" ? [version] : [],
      ),
    }));
}

test("each file goes oldest first, one after another, and many files together", async () => {
  const store = await deletedFiles(25, 3);
  const before = store.all();
  let progress = 0;
  const seen: StoredVersion[] = [];
  const applied = await apply(store, removalsOf(store), {
    batch: 10,
    onProgress: ({ removed }) => {
      assert.ok(removed > progress && removed - progress <= 10);
      progress = removed;
    },
    onRemoved: (path, version) => {
      assert.equal(path, version.name);
      seen.push(version);
    },
  });
  const expected = { files: 25, removed: 100, bytes: 75, gone: 0, left: 0, failures: [] };
  assert.deepEqual(applied, expected);
  assert.deepEqual(store.all(), []);
  assert.equal(store.removals.length, 12, "waves of 10, and the rest of 5");
  for (const name of new Set(before.map((version) => version.name)))
    assert.deepEqual(
      seen.filter((version) => version.name === name),
      before.filter((version) => version.name === name).toReversed(),
    );
});

test("a version that can't be removed keeps what is newer of its file, markers above all", async () => {
  const store = await deletedFiles(5, 2);
  const broken = store.all().findLast(({ name }) => name === "f00002");
  const error = new Error("no");
  store.faults = { remove: ({ id }) => (id === broken?.id ? error : undefined) };
  const told: string[] = [];
  const applied = await apply(store, removalsOf(store), {
    onFailure: ({ path }) => told.push(path),
  });
  assert.deepEqual(
    [applied.files, applied.removed, applied.left, applied.failures, applied.stopped],
    [4, 12, 2, [{ path: "f00002", version: broken, error }], undefined],
  );
  assert.deepEqual(told, ["f00002"]);
  assert.deepEqual(
    store.all().map(({ kind }) => kind),
    ["marker", "file", "file"],
  );
  assert.deepEqual(store.visible(), []);
});

test("it stops after so many failures", async () => {
  const store = await deletedFiles(500, 2);
  store.faults = { remove: () => new Error("no") };
  const applied = await apply(store, removalsOf(store), { maxFailures: 20, batch: 10 });
  assert.deepEqual([applied.removed, applied.failures.length], [0, 20]);
  assert.deepEqual(applied.stopped, { why: "failures" });
  const usual = await apply(store, removalsOf(store), { batch: 10 });
  assert.equal(usual.failures.length, 100);
});

test("once failures begin, no more are tried than may fail", async () => {
  const store = await deletedFiles(1500, 1);
  const tried = (): number => store.removals.reduce((sum, { length }) => sum + length, 0);
  // The versions are removed as of now; from the second wave on, all are refused.
  let allowed = 1000;
  store.faults = { remove: () => ((allowed -= 1) >= 0 ? undefined : new Error("no")) };
  const refused = await apply(store, removalsOf(store), { maxFailures: 30, batch: 1000 });
  assert.deepEqual([refused.removed, refused.stopped], [1000, { why: "failures" }]);
  assert.equal(refused.failures.length, 1000, "the wave that the first failure was in");

  store.removals.length = 0;
  let at = 0;
  store.faults = { remove: () => (++at === 1 || at > 50 ? new Error("no") : undefined) };
  const slow = await apply(store, removalsOf(store), { maxFailures: 30, batch: 50 });
  assert.equal(slow.stopped?.why, "failures");
  assert.ok(slow.failures.length <= 30 + 10, `${slow.failures.length} refused`);
  assert.ok(tried() <= 50 + 30 + 10);
});

test("it begins with so many files and no more, and says whether there are others", async () => {
  const some = await deletedFiles(30, 1);
  const applied = await apply(some, removalsOf(some), { maxFiles: 12, batch: 5 });
  assert.deepEqual([applied.files, applied.stopped], [12, { why: "files" }]);
  assert.equal(new Set(some.all().map(({ name }) => name)).size, 18);
  const rest = await apply(some, removalsOf(some), { maxFiles: 18 });
  assert.deepEqual([rest.files, rest.stopped], [18, undefined]);
});

test("what is gone already is no failure", async () => {
  const store = await deletedFiles(3, 1);
  const planned: Removals[] = [];
  for await (const page of removalsOf(store)) planned.push(...page);
  const [first] = planned;
  await store.remove(first?.versions.slice(0, 1) ?? []);
  const applied = await apply(store, onePage(planned));
  assert.deepEqual([applied.files, applied.removed, applied.gone], [3, 5, 1]);
});

test("a store that gives up, a listing that breaks off and a signal end it; the counts stay", async () => {
  const cap = new Error("transaction cap exceeded");
  const capped = await deletedFiles(20, 1);
  capped.faults = { removeCall: (removed) => (removed === 12 ? cap : undefined) };
  const first = await apply(capped, removalsOf(capped), { batch: 4 });
  assert.deepEqual([first.removed, first.stopped], [12, { why: "error", error: cap }]);
  assert.deepEqual(capped.visible(), []);

  const broken = new Error("listing broke off");
  const cut = await deletedFiles(20, 1);
  cut.faults = { list: (page) => (page === 3 ? broken : undefined) };
  const second = await apply(cut, removalsOf(cut), { batch: 4 });
  assert.deepEqual(second.stopped, { why: "error", error: broken });
  assert.deepEqual(cut.visible(), []);

  const stopped = await deletedFiles(20, 1);
  const controller = new AbortController();
  const third = await apply(stopped, removalsOf(stopped), {
    batch: 4,
    signal: controller.signal,
    onProgress: ({ removed }) => {
      if (removed >= 8) controller.abort();
    },
  });
  assert.deepEqual([third.removed, third.stopped], [8, { why: "signal" }]);
});

test("a version of which the store says nothing counts as failed", async () => {
  const store = await deletedFiles(2, 1);
  const silent = {
    remove: async (versions: readonly StoredVersion[]): Promise<readonly Removal[]> =>
      (await store.remove(versions)).filter(({ version }) => version.name !== "f00001"),
  };
  const applied = await apply(silent, removalsOf(store));
  assert.equal(applied.failures.length, 1);
  assert.match(applied.failures[0]?.error.message ?? "", /expected an answer/);
  assert.deepEqual(
    store.all().map(({ kind }) => kind),
    ["marker"],
  );
});

test("memory holds a batch of files, however long the list is", async () => {
  let begun = 0;
  let done = 0;
  let most = 0;
  async function* endless(): Pages<Removals> {
    for (let page = 0; page < 300; page += 1) {
      const names = Array.from({ length: 10 }, (_, index) => rawFromText(`${page}/${index}`));
      begun += names.length;
      most = Math.max(most, begun - done);
      yield names.map((name) => {
        const fields = { kind: "file", size: 1, storedAt: 0, modifiedAt: undefined } as const;
        return { path: name, versions: [{ name, id: name, ...fields }] };
      });
    }
  }
  const store = {
    remove: async (versions: readonly StoredVersion[]): Promise<readonly Removal[]> => {
      done += versions.length;
      return versions.map((version) => ({ version, result: "removed" }));
    },
  };
  const applied = await apply(store, endless(), { batch: 50 });
  assert.equal(applied.files, 3000);
  assert.ok(most <= 60, `${most} at once`);
});
