import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { chmod, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encryptedSize } from "../lib/crypt/sizes.ts";
import { seededRandom } from "../lib/verify/random.ts";
import {
  callsOf,
  makeBackedUp,
  makeBackup,
  manyFiles,
  until,
  type Settings,
  type TestBackup,
} from "./helpers/backups.ts";
import { contentOf, openDated, versionsByPath } from "./helpers/dirstore.ts";
import { assertEqualEnds } from "./helpers/fault.ts";
import { eitherRclone, newRclone, oldRclone, rclones } from "./helpers/rclones.ts";

/*
 * rclone moves a file away before it uploads what comes in its place. Whatever ends it in between, no
 * name that held a file stays empty, and no version is lost. FAULT_SEED repeats a sequence, as far as
 * times can be repeated; FAULT_ROUNDS is how many kills each version of rclone gets.
 */

const settings: Settings = {
  default: { destination: "secret:data" },
  guards: { max_delete: "off" },
  history: { kind: "dir" },
};

const big = "x".repeat(300_000);
const bigger = "y".repeat(400_000);

/** The directory of the store that holds a file of this size, without asking rclone. */
async function placeOf(tree: TestBackup, size: number): Promise<string | undefined> {
  const entries = await readdir(tree.store, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const found = await stat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
    if (found?.size === size) return entry.parentPath;
  }
  return undefined;
}

/** A backup that was killed with -9 when it had moved `big` away and was uploading the new one. */
async function killInTheWindow(tree: TestBackup): Promise<void> {
  await tree.write({ big, ...manyFiles(5) });
  await tree.expect(0);
  const place = await placeOf(tree, encryptedSize(big.length));
  await tree.write({ big: bigger, new: "new" });
  await tree.configure({ ...settings, rclone: { bwlimit: "20k" } });
  const live = tree.start();
  await until(
    async () => (await placeOf(tree, encryptedSize(big.length))) !== place,
    "big to be moved away",
  );
  live.kill("SIGKILL");
  await live.done;
  await tree.configure(settings);
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`kill -9 in the kill window: nothing is lost (${rclone.version})`, async (t) => {
    const tree = await makeBackup(t, rclone, settings);
    await killInTheWindow(tree);
    const { code, stderr } = await tree.run();
    assert.equal(code, 0, stderr);
    await assertEqualEnds(tree, "secret:data");
    const store = await openDated(t, tree);
    const versions = (await versionsByPath(store)).get("big") ?? [];
    const contents = await Promise.all(versions.map(async (one) => contentOf(store, one)));
    assert.equal(contents[0], bigger);
    assert.equal(contents.at(-1), big);
    // The run that was cut off has an outcome now, which says that nobody saw its end.
    const manifests = await tree.stored("secret:data.history");
    assert.ok(manifests.some((name) => /^000002-.*\.outcome\.gz$/.test(name)));
    // And nothing is left to do: another run is quiet and leaves no trace.
    await tree.expect(0);
    assert.deepEqual(await tree.stored("secret:data.history"), manifests);
  });

  test(`a failed upload puts back what had been moved away (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, settings, { ...manyFiles(6), broken: "before" });
    await tree.write({ broken: "behind a locked door", file1: "changed" });
    await chmod(path.join(tree.source, "broken"), 0o000);
    await tree.expect(3, {
      unprivileged: true,
      stderr: /1 file that it had moved to the old versions.*moved back: broken/s,
    });
    assert.equal(await tree.content("data/broken"), "before");
    const store = await openDated(t, tree);
    const found = await versionsByPath(store);
    assert.deepEqual(
      found.get("broken")?.map(({ kind, id }) => [kind, id]),
      [["file", "current"]],
    );
    assert.equal(found.get("file1")?.length, 2);
    // When it can be read again, the old one is a version.
    await chmod(path.join(tree.source, "broken"), 0o644);
    await tree.expect(0);
    const [now, old, ...more] =
      (await versionsByPath(await openDated(t, tree))).get("broken") ?? [];
    assert.ok(now !== undefined && old !== undefined && more.length === 0);
    assert.equal(await contentOf(store, old), "before");
    await assertEqualEnds(tree, "secret:data");
  });
}

test("a guard that refuses after a kill leaves no hole", async (t) => {
  // The old one leaves a cut file in the place of the hole.
  const tree = await makeBackup(t, newRclone, settings);
  await killInTheWindow(tree);
  assert.equal((await tree.stored("secret:data")).includes("big"), false);
  await tree.configure({ ...settings, guards: { max_delete: "0" } });
  await tree.remove("file1");
  await tree.expect(5, { stderr: /was cut off: 1 file that it had moved.*moved back: big/s });
  assert.equal(await tree.content("data/big"), big);
});

test("a dry run after a kill changes nothing", async (t) => {
  const tree = await makeBackup(t, newRclone, settings);
  await killInTheWindow(tree);
  const before = await tree.stored("secret:");
  await tree.expect(0, { args: ["-n"] });
  assert.deepEqual(await tree.stored("secret:"), before);
});

test("an only file that was moved away is not taken for a lost destination", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, { sole: "before" });
  // Of another size: the old rclone lists whole seconds, and both may be of the same one.
  await tree.write({ sole: "behind it" });
  // What a killed run leaves: an intent, the file aside, and nothing in its place.
  await tree.trace(`case "$1 $*" in sync*--backup-dir*) kill -9 $PPID; exit 1;; esac`);
  const { signal } = await tree.run();
  assert.equal(signal, "SIGKILL");
  const run = (await tree.stored("secret:data.history"))
    .find((name) => /^000002.*\.intent\.gz$/.test(name))
    ?.replace(".intent.gz", "");
  const moved = await tree.runRclone([
    "moveto",
    "secret:data/sole",
    `secret:data.history/${run}/sole`,
  ]);
  assert.equal(moved.code, 0, moved.stderr);
  await tree.trace();
  await tree.expect(0, { stderr: /000002-.* was cut off: 1 file/ });
  assert.equal(await tree.content("data/sole"), "behind it");
});

test("an outcome that can't be stored is a failure, and the next run makes up for it", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, manyFiles(3));
  await tree.write({ file0: "another" });
  await tree.trace(`case "$1 $*" in copyto*.outcome.gz*) echo 'no space' >&2; exit 1;; esac`);
  await tree.expect(1, { stderr: /expected to store 000002-.*\.outcome\.gz/ });
  await tree.trace();
  await tree.expect(0);
  const store = await openDated(t, tree);
  const [now, old] = (await versionsByPath(store)).get("file0") ?? [];
  assert.ok(now !== undefined && old !== undefined);
  assert.equal(now.uncertain, true);
  assert.equal(await contentOf(store, old), "content of file0\n");
  const plan = callsOf(await tree.calls(), "sync", true);
  assert.equal(plan.length, 1);
});

test("a store that can neither move nor copy is told", async (t) => {
  const tree = await makeBackup(t, oldRclone, settings, { a: "a" });
  await tree.trace(
    `case "$*" in backend*features*) echo '{"Features":{"Move":false,"Copy":false}}'; exit 0;; esac`,
  );
  await tree.expect(2, { stderr: /can move or copy files by itself/ });
});

test("where the store can only copy, replaced files count as deletions for rclone", async (t) => {
  const tree = await makeBackedUp(t, oldRclone, settings, manyFiles(4));
  await tree.write({ file0: "another" });
  await tree.remove("file1");
  await tree.trace(
    `case "$*" in backend*features*) echo '{"Features":{"Move":false,"Copy":true}}'; exit 0;; esac`,
  );
  await tree.expect(0);
  const [sync = []] = callsOf(await tree.calls(), "sync");
  assert.equal(sync[sync.indexOf("--max-delete") + 1], "2");
});

/** What the source holds, by path. */
async function contentsOf(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    found.set(path.relative(directory, file), await readFile(file, "utf8"));
  }
  return found;
}

const seed = Number(process.env["FAULT_SEED"] ?? randomInt(2 ** 31));
const rounds = Number(process.env["FAULT_ROUNDS"] ?? 2);

for (const rclone of rclones) {
  test(`kill -9 at any moment: no version that a good run left is ever lost (${rclone.version})`, async (t) => {
    t.diagnostic(`FAULT_SEED=${seed}`);
    const random = seededRandom(seed);
    const tree = await makeBackedUp(t, rclone, settings, manyFiles(12));
    const kept = [await contentsOf(tree.source)];
    let killed = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (let at = 0; at < 6; at += 1) {
        const name = `file${Math.floor(random() * 12)}`;
        // One is so large that its upload lasts longer than the wait before the kill.
        const isLarge = at === 5;
        if (!isLarge && random() < 0.3) await tree.remove(name);
        else {
          const times = isLarge ? 400_000 : 1 + Math.floor(random() ** 2 * 200_000);
          const content = `${round} ${at} `.repeat(times);
          await tree.write({ [name]: content });
        }
      }
      await tree.configure({ ...settings, rclone: { bwlimit: "1M" } });
      const live = tree.start();
      await until(
        async () =>
          live.child.exitCode !== null ||
          (await tree.record().catch(() => undefined))?.running !== undefined,
        "the run to change the destination",
      );
      await sleep(random() * 1200);
      live.kill("SIGKILL");
      if ((await live.done).signal === "SIGKILL") killed += 1;
      await tree.configure(settings);
      const which = `round ${round}, seed ${seed}`;
      const { code, stderr } = await tree.run();
      assert.equal(code, 0, `${which}: ${stderr}`);
      await assertEqualEnds(tree, "secret:data");
      kept.push(await contentsOf(tree.source));
    }
    assert.ok(killed > 0, `none was killed, seed ${seed}`);
    const store = await openDated(t, tree);
    const found = new Set<string>();
    for (const [name, versions] of await versionsByPath(store))
      for (const version of versions)
        if (version.kind === "file") {
          const content = await contentOf(store, version).catch((error: unknown) => {
            // An old rclone that is killed leaves a cut file; it is told from the whole ones.
            if (rclone.version === "old" && version.uncertain === true) return undefined;
            throw error;
          });
          found.add(`${name} ${content}`);
        }
    for (const [night, files] of kept.entries())
      for (const [name, content] of files)
        assert.ok(found.has(`${name} ${content}`), `${name} of night ${night}, seed ${seed}`);
  });
}
