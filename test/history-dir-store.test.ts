import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { makeBackedUp, makeBackup, type Settings } from "./helpers/backups.ts";
import { contentOf, openDated, versionsByPath } from "./helpers/dirstore.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

/* What can be done with versions in dated directories. */

const settings: Settings = {
  default: { destination: "secret:data" },
  guards: { max_delete: "off" },
  history: { kind: "dir" },
};

const stays = { stay1: "1", stay2: "2", stay3: "3" };

for (const rclone of eitherRclone(import.meta.url)) {
  test(`removes, brings back and hides (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, settings, { ...stays, a: "one", "dir/b": "b" });
    await tree.write({ a: "two!" });
    await tree.expect(0);
    await tree.write({ a: "three" });
    await tree.remove("dir/b");
    await tree.expect(0);
    const store = await openDated(t, tree);
    const ids = async (name: string): Promise<string[]> =>
      (await store.versionsOf(rawFromText(name))).map(({ kind, size }) => `${kind} ${size}`);
    assert.deepEqual(await ids("a"), ["file 5", "file 4", "file 3"]);
    assert.deepEqual(await ids("dir/b"), ["marker 0", "file 1"]);
    // A prefix ends at a slash.
    assert.deepEqual([...(await versionsByPath(store, "dir/")).keys()], ["dir/b"]);

    const [, second, first] = await store.versionsOf(rawFromText("a"));
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(await contentOf(store, second, { start: 1, length: 2 }), "wo");
    assert.equal(await contentOf(store, second, { start: 3 }), "!");

    await store.makeCurrent(first);
    assert.equal(await tree.content("data/a"), "one");
    // Nothing is lost by it: what it replaced is a version too.
    assert.deepEqual(await ids("a"), ["file 3", "file 5", "file 4", "file 3"]);
    await store.hide(rawFromText("a"));
    assert.deepEqual(await ids("a"), ["marker 0", "file 3", "file 5", "file 4", "file 3"]);
    assert.equal((await tree.stored("secret:data")).includes("a"), false);
    const [marker, ...files] = await store.versionsOf(rawFromText("a"));
    assert.ok(marker !== undefined);
    const times = [marker, ...files].map(({ storedAt }) => storedAt);
    assert.deepEqual(
      times,
      times.toSorted((x, y) => y - x),
    );

    // Without its marker the file is back, as if it had never been hidden.
    assert.deepEqual(
      (await store.remove([marker])).map(({ result }) => result),
      ["removed"],
    );
    assert.deepEqual(await ids("a"), ["file 3", "file 5", "file 4", "file 3"]);
    assert.equal(await tree.content("data/a"), "one");
    assert.equal((await store.versionsOf(rawFromText("a")))[0]?.storedAt, files[0]?.storedAt);
    await store.hide(rawFromText("a"));

    // What is gone already is gone.
    const [, ...rest] = await store.versionsOf(rawFromText("a"));
    const oldest = rest.at(-1);
    assert.ok(oldest !== undefined);
    assert.deepEqual(
      (await store.remove([oldest])).map(({ result }) => result),
      ["removed"],
    );
    assert.deepEqual(
      (await store.remove([oldest])).map(({ result }) => result),
      ["gone"],
    );
    assert.deepEqual(await ids("a"), ["marker 0", "file 3", "file 5", "file 4"]);
    for (const file of rest.slice(0, -1)) await store.remove([file]);
    assert.deepEqual(await ids("a"), []);
    // What the directories held is gone, and so are they.
    await store.close();
    const left = await tree.stored("secret:data.history");
    assert.deepEqual(
      left.filter((name) => name.includes("/")).map((name) => name.slice(name.indexOf("/") + 1)),
      ["dir/b"],
    );
    const directories = await tree.runRclone(["lsf", "--dirs-only", "secret:data.history"]);
    assert.match(directories.stdout, /^000003-\w+\/\n$/);
    // The next backup brings the source's file back, and knows that it has to count.
    const { plan } = await tree.report();
    assert.equal(plan?.counted_from, "dry run");
    assert.equal(await tree.content("data/a"), "three");
  });

  test(`names of every kind (${rclone.version})`, async (t) => {
    const tree = await makeBackup(t, rclone, settings, stays);
    const names = [
      " lead",
      "trail ",
      "new\nline",
      "glob [a-z]*?{x}",
      "#hash",
      "- dash",
      "back\\slash",
      "ü",
      "-flag",
    ];
    const raw = Buffer.from("bad \xff\xfe name", "latin1");
    const write = async (content: string): Promise<void> => {
      await mkdir(path.join(tree.source, "deep dir"), { recursive: true });
      for (const name of names) await writeFile(path.join(tree.source, "deep dir", name), content);
      const at = Buffer.concat([Buffer.from(`${tree.source}/deep dir/`), raw]);
      await writeFile(at, content);
    };
    await write("old");
    await tree.expect(0);
    await write("newer");
    await tree.run();
    const store = await openDated(t, tree);
    const wanted = [
      ...names.map((name) => rawFromText(name.replace("\n", "\u240A"))),
      rawFromBytes(raw.toString("latin1")),
    ];
    const removed = [];
    for (const name of wanted) {
      const file = rawFromBytes(`deep dir/${name}`);
      const versions = await store.versionsOf(file);
      assert.deepEqual(
        versions.map(({ size }) => size),
        [5, 3],
        name,
      );
      const [, old] = versions;
      assert.ok(old !== undefined);
      assert.equal(await contentOf(store, old), "old", name);
      removed.push(old);
    }
    await store.changeCurrent(removed.map((version) => ({ kind: "version", version })));
    for (const name of wanted) {
      const [now] = await store.versionsOf(rawFromBytes(`deep dir/${name}`));
      assert.ok(now !== undefined);
      assert.equal(await contentOf(store, now), "old", name);
    }
    const results = await store.remove(removed);
    assert.deepEqual(new Set(results.map(({ result }) => result)), new Set(["removed"]));
  });
}

test("reading what is gone fails, and so does a range of it", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { ...stays, a: "one" });
  await tree.write({ a: "other" });
  await tree.expect(0);
  const store = await openDated(t, tree);
  const [, old] = await store.versionsOf(rawFromText("a"));
  assert.ok(old !== undefined);
  await store.remove([old]);
  await assert.rejects(contentOf(store, old), /expected 3 bytes of a stored file, found 0/);
  await assert.rejects(contentOf(store, old, { start: 1 }), /expected 2 bytes/);
});

test("what can't be listed is not an empty history", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, stays);
  const store = await openDated(t, tree, { destination: "secret:data", history: "nowhere:x" });
  await assert.rejects(versionsByPath(store), /history: expected a listing/);
});

test("a version that can't be brought back leaves no hole", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { ...stays, a: "one", b: "b" });
  await tree.write({ a: "other", b: "bb" });
  await tree.expect(0);
  const store = await openDated(t, tree);
  const [, oldA] = await store.versionsOf(rawFromText("a"));
  const [, oldB] = await store.versionsOf(rawFromText("b"));
  assert.ok(oldA !== undefined && oldB !== undefined);
  await store.remove([oldA]);
  const failed = await store.changeCurrent(
    [oldA, oldB].map((version) => ({ kind: "version", version })),
  );
  assert.deepEqual([...failed.keys()], ["a"]);
  assert.match([...failed.values()].join(), /^expected to copy it, found: /);
  await assert.rejects(store.makeCurrent(oldA), /history: a: expected to copy it, found: /);
  assert.equal(await tree.content("data/a"), "other");
  assert.equal(await tree.content("data/b"), "b");
});
