import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { test } from "node:test";
import { callsOf, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { Call, TestBackup } from "./helpers/backups.ts";
import { eitherRclone } from "./helpers/rclones.ts";

// What happens when more is to be deleted than was planned: rclone stops at its limit, all is looked
// at anew, and the guards judge what the run does as a whole.

/** Has shell text run in the source right before the n-th sync. */
async function beforeSync(backup: TestBackup, nights: readonly string[]): Promise<void> {
  const counter = `${backup.root}/syncs`;
  const cases = nights.map((action, at) => `${at + 1}) ${action} ;;`).join(" ");
  await backup.trace(
    `case "$*" in sync*--dry-run*) ;; sync*)
       echo sync >>'${counter}'
       cd '${backup.source}' && case $(($(wc -l <'${counter}'))) in ${cases} esac ;;
     esac`,
  );
}

function limits(calls: readonly Call[]): (string | undefined)[] {
  return callsOf(calls, "sync").map((call) =>
    call.includes("--max-delete") ? call[call.indexOf("--max-delete") + 1] : undefined,
  );
}

const names = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `file${from + at}`);

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  for (const limit of ["off", "1000", "100%", "1G"]) {
    test(titled(`an emptied source deletes nothing under max_delete = ${limit}`), async (t) => {
      const settings = { guards: { max_delete: limit } };
      const backup = await makeBackedUp(t, rclone, settings, manyFiles(20));
      await beforeSync(backup, ["mkdir ../aside; mv file* ../aside"]);
      const stopped = await backup.report([], { code: 1 });
      assert.match(
        stopped.message ?? "",
        /^rclone: expected no more deletions than planned.*\nsource: expected files as in the last run \(20 files\), found none/,
      );
      assert.deepEqual(limits(await backup.calls()), ["0"]);
      assert.deepEqual(
        [(await backup.stored()).length, (await backup.manifest()).length, stopped.deleted],
        [20, 20, 0],
      );
      await backup.expect(5, { stderr: /source: expected files as in the last run/ });
      const aside = `${backup.root}/aside`;
      for (const name of names(0, 20)) await rename(`${aside}/${name}`, `${backup.source}/${name}`);
      await backup.expect(0);
      assert.equal((await backup.stored()).length, 20);
    });
  }

  test(titled("files that vanish meanwhile are deleted, by exactly their number"), async (t) => {
    const settings = { guards: { max_delete: "off" } };
    const backup = await makeBackedUp(t, rclone, settings, manyFiles(20));
    await backup.remove(...names(0, 2));
    await beforeSync(backup, ["rm file2 file3 file4; echo new >late"]);
    const told = await backup.report();
    assert.deepEqual(limits(await backup.calls()), ["2", "3"]);
    assert.deepEqual([told.deleted, told.plan?.deleted.files, told.plan?.held.files], [5, 5, 20]);
    assert.equal(told.transferred.files, 1);
    assert.deepEqual(await backup.stored(), [...names(5, 20), "late"].toSorted());
    assert.deepEqual(await backup.manifest(), await backup.stored());
    const after = await backup.report();
    assert.deepEqual([after.plan?.counted_from, after.plan?.added.files], ["manifest", 0]);
  });

  test(titled("no limit is spent twice in one run"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(20));
    await backup.remove(...names(0, 8));
    await beforeSync(backup, [`rm ${names(8, 14).join(" ")}`]);
    const stopped = await backup.report([], { code: 1 });
    assert.match(
      stopped.message ?? "",
      /max_delete: expected at most 50% .* found 14 files of 20 \(70%/,
    );
    assert.deepEqual(limits(await backup.calls()), ["8"]);
    assert.deepEqual([stopped.deleted, (await backup.stored()).length], [8, 12]);
    assert.deepEqual(await backup.manifest(), await backup.stored());
  });

  test(titled("a limit in bytes is not spent twice either"), async (t) => {
    const backup = await makeBackup(t, rclone, { guards: { max_delete: "1k" } }, manyFiles(9));
    await backup.write({ big0: "x".repeat(900), big1: "x".repeat(900) });
    await backup.expect(0);
    await backup.remove("big0");
    await beforeSync(backup, ["rm big1"]);
    const stopped = await backup.report([], { code: 1 });
    assert.match(stopped.message ?? "", /max_delete: .* deleted files of unknown size/);
    assert.deepEqual([stopped.deleted, (await backup.stored()).length], [1, 10]);
  });

  test(titled("what vanishes even after the count stops the run"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(20));
    await beforeSync(backup, ["rm file0 file1", "rm file2"]);
    const stopped = await backup.report([], { code: 1 });
    assert.match(stopped.message ?? "", /expected no more deletions than planned/);
    assert.deepEqual(limits(await backup.calls()), ["0", "2"]);
    assert.deepEqual([stopped.deleted, (await backup.stored()).length], [2, 18]);
    assert.deepEqual(await backup.manifest(), await backup.stored());
    await backup.expect(0);
    assert.deepEqual(await backup.stored(), names(3, 20).toSorted());
  });

  test(titled("require_file must hold when it is counted again"), async (t) => {
    const settings = { guards: { require_file: "file0", max_delete: "off" } };
    const backup = await makeBackedUp(t, rclone, settings, manyFiles(5));
    await beforeSync(backup, ["rm file0 file1"]);
    const stopped = await backup.report([], { code: 1 });
    assert.match(stopped.message ?? "", /guards\.require_file: expected file0 to exist/);
    assert.equal((await backup.stored()).length, 5);
  });

  test(titled("another fatal error with the same exit code is no limit"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
    await beforeSync(backup, [
      `echo '{"level":"error","msg":"max transfer duration reached"}' >&2; exit 7`,
    ]);
    const stopped = await backup.report([], { code: 1 });
    assert.match(stopped.message ?? "", /exit code 7: max transfer duration reached/);
    const calls = await backup.calls();
    assert.deepEqual([callsOf(calls, "sync").length, callsOf(calls, "sync", true).length], [1, 0]);
  });

  test(titled("what was done is told, not what was planned"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, manyFiles(3));
    const first = await backup.expect(0, { args: ["-v"], stderr: /./ });
    assert.match(first.stdout + first.stderr, /3 new \(.*\), 0 changed, 0 deleted/);
    await backup.write({ one: "1" });
    await beforeSync(backup, ["echo 2 >two"]);
    const second = await backup.expect(0, { args: ["-v"], stderr: /./ });
    assert.match(second.stdout + second.stderr, /2 copied \(.*\), 0 deleted/);
  });
}
