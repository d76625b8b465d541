import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { callsOf, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// A source that is missing or empty after a good run: rclone alone deletes the whole backup.
for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("an emptied source is refused, whatever max_delete says"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
    await backup.remove("file0", "file1", "file2");
    for (const max of ["50%", "off", "100%", "1000", "1T"]) {
      await backup.configure({ guards: { max_delete: max } });
      await backup.trace();
      await backup.expect(5, { stderr: /source: expected files as in the last run.*found none/ });
      assert.deepEqual(callsOf(await backup.calls(), "sync"), []);
    }
    assert.equal((await backup.stored()).length, 3);
  });

  test(titled("a source with nothing left but special-files.tar.gz is empty"), async (t) => {
    const backup = await makeBackup(t, rclone, { guards: { max_delete: "off" } }, manyFiles(3));
    await symlink("target", path.join(backup.source, "link"));
    await backup.expect(0);
    assert.ok((await backup.stored()).includes("special-files.tar.gz"));
    await backup.remove("file0", "file1", "file2");
    await backup.expect(5, { stderr: /source: expected files as in the last run/ });
    assert.equal((await backup.stored()).length, 4);
  });

  test(titled("an emptied source is refused where only a dry run can count"), async (t) => {
    const backup = await makeBackedUp(t, rclone, { guards: { max_delete: "off" } }, manyFiles(3));
    await rm(backup.state, { recursive: true });
    await backup.remove("file0", "file1", "file2");
    const told = await backup.report([], { code: 5 });
    assert.equal(told.plan?.counted_from, "dry run");
    assert.match(told.message ?? "", /source: expected files/);
    assert.equal((await backup.stored()).length, 3);
  });

  test(
    titled("a missing source is a wrong setting at first, and refused after a good run"),
    async (t) => {
      const backup = await makeBackup(t, rclone);
      const away = path.join(backup.root, "away");
      await rename(backup.source, away);
      await backup.expect(2, { stderr: /source: expected a directory, found nothing at .*\/src/ });
      await mkdir(backup.source);
      await backup.write(manyFiles(3));
      await backup.expect(0);
      await rename(backup.source, away.concat("2"));
      await backup.expect(5, {
        stderr: /source: expected the directory .*\/src with 3 files.*found nothing there/,
      });
      await rename(away.concat("2"), backup.source);
      await backup.expect(0);
    },
  );

  test(
    titled("a source that is not local: missing at first 2, after a good run 5; empty 5"),
    async (t) => {
      const source = "plain:photos";
      const backup = await makeBackup(t, rclone, { default: { source, archive_specials: "no" } });
      const photos = path.join(backup.store, "plain/photos");
      await backup.expect(2, { stderr: /source: expected a directory/ });
      await backup.write({ [path.join(photos, "a.jpg")]: "a", [path.join(photos, "b.jpg")]: "b" });
      await backup.expect(0);
      assert.deepEqual(await backup.stored(), ["a.jpg", "b.jpg"]);
      await rename(photos, `${photos}.away`);
      await backup.expect(5, { stderr: /source: expected .*2 files/ });
      await mkdir(photos);
      await backup.expect(5, { stderr: /source: expected files as in the last run/ });
      assert.deepEqual(await backup.stored(), ["a.jpg", "b.jpg"]);
    },
  );
}

test("an empty source at first is a good backup of nothing", async (t) => {
  const backup = await makeBackedUp(t, oldRclone);
  await backup.expect(0);
  assert.equal((await backup.record()).good?.files, 0);
});

test("a source that only ever held special files is backed up night after night", async (t) => {
  const backup = await makeBackup(t, oldRclone);
  await symlink("target", path.join(backup.source, "link"));
  await backup.expect(0);
  assert.deepEqual(await backup.stored(), ["special-files.tar.gz"]);
  await backup.expect(0);
  await backup.write({ own: "1" });
  await backup.expect(0);
  await rm(backup.state, { recursive: true });
  await backup.expect(0);
});

test("a source that is a file is a wrong setting", async (t) => {
  const backup = await makeBackup(t, oldRclone);
  const file = path.join(backup.root, "file");
  await writeFile(file, "x");
  await backup.configure({ default: { source: file } });
  await backup.expect(2, { stderr: /source: expected a directory, found something else at/ });
});
