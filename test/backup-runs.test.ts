import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { callsOf, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";

// What one run does to the destination, and that a run without news does nothing.
for (const rclone of rclones) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("a first backup stores everything, a second uploads nothing"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { "a.txt": "one\n", "dir/b.txt": "two\n" });
    const first = await backup.expect(0);
    assert.equal(first.stdout, "");
    assert.deepEqual(await backup.stored(), ["a.txt", "dir/b.txt"]);
    assert.equal(await backup.content("dir/b.txt"), "two\n");
    const before = await storeTimes(backup);
    const told = await backup.report();
    assert.deepEqual(told.transferred, { files: 0, bytes: 0 });
    assert.equal(told.result, "success");
    assert.deepEqual(await storeTimes(backup), before);
  });

  test(titled("what changes in the source changes in the backup, nothing else"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, { ...manyFiles(6), "x/y": "old" });
    await backup.write({ "x/y": "new content", "x/z": "added" });
    await backup.remove("file0");
    const told = await backup.report();
    assert.deepEqual(
      [told.plan?.added.files, told.plan?.changed.files, told.plan?.deleted.files],
      [1, 1, 1],
    );
    assert.deepEqual([told.transferred.files, told.deleted], [2, 1]);
    assert.equal(await backup.content("x/y"), "new content");
    assert.deepEqual(await backup.manifest(), await backup.stored());
    assert.ok(!(await backup.stored()).includes("file0"));
  });

  test(titled("a night without news lists the destination once, for the sync"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, { a: "1", "b/c": "2" });
    await backup.trace();
    await backup.expect(0);
    const calls = await backup.calls();
    const remote = calls.filter((call) => call.some((word) => word.startsWith("secret:")));
    assert.deepEqual(
      remote.map(([command = ""]) => command).toSorted(),
      ["lsf", "sync"],
      "the look for any file, which ends with the first, and the sync",
    );
  });

  test(titled("editors' files never reach the backup; excluded files leave it"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { ...manyFiles(4), "a~": "x", ".#b": "x" });
    await backup.write({ "cache/big": "x" });
    await backup.expect(0);
    assert.deepEqual(await backup.stored(), ["cache/big", "file0", "file1", "file2", "file3"]);
    await backup.configure({ filters: ["- /cache/**"] });
    const told = await backup.report();
    assert.equal(told.plan?.deleted.files, 1, "the guard counts what the filters remove");
    assert.deepEqual(await backup.stored(), ["file0", "file1", "file2", "file3"]);
  });

  test(titled("the sync is asked for in exactly these words"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { a: "1" });
    await backup.trace();
    await backup.expect(0);
    const [sync] = callsOf(await backup.calls(), "sync");
    const plain = sync?.map((word) => (word.endsWith("/rules") ? "RULES" : word));
    assert.deepEqual(plain, [
      ...["sync", "--ask-password=false", "--filter-from", "RULES", "--delete-excluded"],
      ...["--skip-links", "--no-unicode-normalization", "--fast-list", "--max-delete", "0"],
      ...["--use-json-log", "--stats", "1s", "-v"],
      ...[backup.source, "secret:"],
    ]);
  });

  test(titled("a dry run shows what the real run then does, and changes nothing"), async (t) => {
    const backup = await makeBackedUp(
      t,
      rclone,
      {},
      { keep: "1", "k 2": "2", edit: "1", gone: "1" },
    );
    await backup.write({ edit: "longer", added: "3" });
    await backup.remove("gone");
    const state = await stateFiles(backup);
    const store = await storeTimes(backup);
    for (const flag of ["-n", "--dry-run", "--dryrun"]) {
      const shown = await backup.expect(0, { args: [flag] });
      assert.match(shown.stdout, /added/);
      assert.match(shown.stdout, /would leave: .*1 new.*1 changed.*1 deleted/);
    }
    const told = await backup.report(["-n"]);
    assert.equal(told.dry_run, true);
    assert.deepEqual(await stateFiles(backup), state);
    assert.deepEqual(await storeTimes(backup), store);
    assert.deepEqual((await readdir(backup.source)).toSorted(), ["added", "edit", "k 2", "keep"]);
    const real = await backup.report();
    assert.deepEqual(real.plan, told.plan);
    assert.deepEqual([real.transferred.files, real.deleted], [2, 1]);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(titled("the guard counts what new filters would remove"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, { ...manyFiles(2), ...manyFiles(4, "out/") });
    await backup.configure({ filters: ["- /out/**"] });
    await backup.expect(5, { stderr: /max_delete: expected at most 50%.*found 4 files of 6/ });
    assert.equal((await backup.stored()).length, 6);
  });

  test(
    titled("settings of [rclone] and copy_links reach the sync, deletion stays off ls"),
    async (t) => {
      const backup = await makeBackup(
        t,
        rclone,
        {
          default: { copy_links: "yes" },
          rclone: { transfers: "2", checkers: "3", bwlimit: "10M", flags: "--buffer-size 1M" },
        },
        { a: "1" },
      );
      await backup.trace();
      await backup.expect(0);
      await backup.expect(0, { args: ["--ls"] });
      const calls = await backup.calls();
      const [sync] = callsOf(calls, "sync");
      const words = sync?.join(" ") ?? "";
      assert.match(words, /--copy-links .*--checkers 3 .*--transfers 2 --bwlimit 10M/);
      assert.match(words, / secret: --buffer-size=1M$/);
      assert.doesNotMatch(words, /--skip-links/);
      for (const call of calls)
        if (call[0] !== "sync") assert.ok(!call.some((word) => word.startsWith("--delete")));
    },
  );

  test(titled("a dry run before the first backup leaves the destination absent"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { a: "1" });
    await backup.expect(0, { args: ["-n"] });
    assert.deepEqual(await readdir(backup.store), []);
    await backup.expect(0);
    assert.deepEqual(await backup.stored(), ["a"]);
  });
}

/** Every file of the store with its times, so that a rewrite of the same bytes shows. */
async function storeTimes(backup: TestBackup): Promise<Record<string, string>> {
  const times: Record<string, string> = {};
  for (const name of await readdir(backup.store, { recursive: true })) {
    const { ctimeMs, size, ino } = await stat(path.join(backup.store, name));
    times[name] = `${ctimeMs} ${size} ${ino}`;
  }
  return times;
}

/** Every file of the backup's state with its content. */
async function stateFiles(backup: TestBackup): Promise<Record<string, string>> {
  const directory = await backup.stateDirectory();
  const contents: Record<string, string> = {};
  for (const name of await readdir(directory))
    contents[name] = await readFile(path.join(directory, name), "base64");
  return contents;
}
