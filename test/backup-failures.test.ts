import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeBackedUp, manyFiles } from "./helpers/backups.ts";
import { eitherRclone, newRclone, rclones } from "./helpers/rclones.ts";

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

test("a new file that comes and goes while the source is read is no failure", async (t) => {
  const tree = await makeBackedUp(t, newRclone, {}, { stays: "stays" });
  const journal = path.join(tree.source, "db-journal");
  await tree.trace(
    `if [ "$1" = sync ]; then rm -f '${journal}'; '${newRclone.path}' "$@"; code=$?; echo other >'${journal}'; exit $code; fi`,
  );
  for (const content of ["j", "jj"]) {
    await tree.write({ "db-journal": content });
    await tree.expect(0);
    assert.deepEqual(await tree.manifest(), ["stays"]);
  }
  // It stayed as it was listed, and rclone said nothing of it.
  await tree.trace(
    `if [ "$1" = sync ]; then mv '${journal}' '${journal}.aside'; '${newRclone.path}' "$@" --exclude '*.aside'; code=$?; mv '${journal}.aside' '${journal}'; exit $code; fi`,
  );
  await tree.expect(3, {
    stderr: /db-journal: rclone told no error, and the destination does not/,
  });
  await tree.trace();
  await tree.expect(0);
  assert.deepEqual(await tree.manifest(), ["db-journal", "stays"]);
});

test("an unreadable directory whose name is not UTF-8 is one that failed, as any other", async (t) => {
  const tree = await makeBackedUp(t, newRclone, {}, { stays: "stays" });
  const directory = Buffer.from(`${tree.source}/m\xFCller`, "latin1");
  await mkdir(directory);
  await writeFile(Buffer.concat([directory, Buffer.from("/f")]), "f");
  await tree.expect(0);
  await tree.write({ new: "new" });
  await chmod(directory, 0);
  await tree.expect(3, {
    unprivileged: true,
    stderr: /1 file or directory failed.*\n {2}m\uFFFDller: .*permission denied/s,
  });
  await chmod(directory, 0o755);
  await tree.expect(0);
});
