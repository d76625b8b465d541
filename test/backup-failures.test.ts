import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { chmod, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeBackedUp, manyFiles } from "./helpers/backups.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";

// Files that can't be backed up make the run partial (3), are named, and cost nothing that is stored.
for (const rclone of rclones) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(
    titled("an unreadable file: 3, named, nothing deleted, and the runs in a row are counted"),
    async (t) => {
      const backup = await makeBackedUp(
        t,
        rclone,
        {},
        { ...manyFiles(6), gone: "x", locked: "old" },
      );
      await backup.remove("gone");
      await backup.write({ locked: "new content", fresh: "added" });
      await chmod(path.join(backup.source, "locked"), 0o000);
      const first = await backup.report([], { code: 3, unprivileged: true });
      assert.equal(first.outcome, "partial");
      assert.deepEqual(
        first.failures.map((failure) => failure.path),
        ["locked"],
      );
      assert.match(first.failures[0]?.reason ?? "", /permission denied/);
      assert.match(first.message ?? "", /locked: .*permission denied/);
      assert.ok((await backup.stored()).includes("gone"), "nothing is deleted meanwhile");
      assert.ok((await backup.stored()).includes("fresh"), "the rest is backed up");
      assert.equal(await backup.content("locked"), "old");
      const since = (await backup.record()).suppressed?.since;
      for (const runs of [2, 3]) {
        const { stderr } = await backup.expect(3, { unprivileged: true });
        assert.match(stderr, new RegExp(`${runs} runs in a row`));
        assert.deepEqual((await backup.record()).suppressed, { runs, since });
      }
      const failures = path.join(await backup.stateDirectory(), "failures.list");
      assert.match(await readFile(failures, "utf8"), /^locked\t.*permission denied/);
      await chmod(path.join(backup.source, "locked"), 0o600);
      await backup.expect(0, { unprivileged: true });
      assert.ok(!(await backup.stored()).includes("gone"));
      assert.equal(await backup.content("locked"), "new content");
      assert.equal((await backup.record()).suppressed, undefined);
      await assert.rejects(readFile(failures));
    },
  );

  test(titled("an unreadable directory: 3, named, and nothing under it is deleted"), async (t) => {
    const backup = await makeBackedUp(
      t,
      rclone,
      {},
      {
        ...manyFiles(3),
        ...manyFiles(5, "closed/file"),
        "closed/deep/er": "x",
        gone: "x",
      },
    );
    const stored = await backup.stored();
    await backup.remove("gone");
    await chmod(path.join(backup.source, "closed"), 0o000);
    for (let night = 0; night < 2; night += 1) {
      const told = await backup.report([], { code: 3, unprivileged: true });
      assert.match(told.message ?? "", /closed: .*permission denied/);
      assert.equal(told.deleted, 0);
      assert.deepEqual(await backup.stored(), stored);
    }
    await chmod(path.join(backup.source, "closed"), 0o700);
    await backup.expect(0, { unprivileged: true });
    assert.deepEqual(
      await backup.stored(),
      stored.filter((name) => name !== "gone"),
    );
    assert.deepEqual(await backup.manifest(), await backup.stored());
  });

  test(
    titled("a file that grows during its copy: 3, named, and mended by the next run"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, { ...manyFiles(3), "log/grows": "small" });
      const file = path.join(backup.source, "log/grows");
      await backup.write({ "log/grows": Buffer.alloc(200_000, "x") });
      await backup.configure({ rclone: { bwlimit: "200k" } });
      const live = backup.start(["--json"]);
      const writer = setInterval(() => appendFileSync(file, "y".repeat(1000)), 10);
      const result = await live.done.finally(() => clearInterval(writer));
      assert.equal(result.code, 3, result.stderr);
      assert.match(result.stderr, / log\/grows: .*(source file is being updated|sizes differ)/);
      assert.equal((await backup.record()).trusted, false);
      await backup.configure({});
      assert.equal((await backup.report()).plan?.counted_from, "dry run");
      assert.deepEqual(await backup.content("log/grows"), await readFile(file, "utf8"));
    },
  );

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(titled("an unreadable source directory is a failure, and no empty source"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
    await chmod(backup.source, 0o000);
    const result = await backup.run([], { unprivileged: true });
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /permission denied|EACCES/);
    await chmod(backup.source, 0o700);
    assert.equal((await backup.stored()).length, 3);
  });
}
