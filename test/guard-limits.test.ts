import assert from "node:assert/strict";
import { copyFile, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { callsOf, lines, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { run } from "./helpers/command.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// max_delete and max_change, and the one-time flag that allows exactly what was refused.

const ten = manyFiles(10);

async function removeFiles(backup: TestBackup, count: number): Promise<void> {
  await backup.remove(...Array.from({ length: count }, (_, at) => `file${at}`));
}

async function forget(backup: TestBackup): Promise<void> {
  await backup.remove(backup.state);
}

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("half of the files may go by default, one more is refused"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, ten);
    await removeFiles(backup, 6);
    await backup.trace();
    const { stderr } = await backup.expect(5, {
      stderr: /max_delete: expected at most 50% of the files to be deleted, found 6 files of 10/,
    });
    assert.match(stderr, /nothing at the destination was changed/);
    assert.match(stderr, /rclone-backup --allow-refused-plan [0-9a-f]{12} \S*home\.conf/);
    assert.deepEqual(callsOf(await backup.calls(), "sync"), []);
    assert.equal((await backup.stored()).length, 10);
    await backup.write({ file5: ten["file5"] ?? "" });
    await backup.expect(0);
    assert.equal((await backup.stored()).length, 5);
  });

  test(titled("half of the files by a dry run's count, when nothing is remembered"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, ten);
    await removeFiles(backup, 6);
    await forget(backup);
    const told = await backup.report([], { code: 5 });
    assert.equal(told.plan?.counted_from, "dry run");
    assert.deepEqual([told.plan?.held.files, told.plan?.deleted.files], [10, 6]);
    await backup.write({ file5: "put back, changed", more: "and a new one" });
    await forget(backup);
    const good = await backup.report();
    assert.deepEqual(
      [good.plan?.held.files, good.plan?.deleted.files, good.plan?.added.files],
      [10, 5, 1],
    );
    assert.equal(good.plan?.changed.files, 1);
  });

  for (const [max, allowed, refused] of [
    ["20%", 2, 3],
    ["3", 3, 4],
    ["0", 0, 1],
    ["40B", 2, 3],
  ] as const) {
    test(titled(`max_delete = ${max}`), async (t) => {
      const backup = await makeBackedUp(t, rclone, { guards: { max_delete: max } }, ten);
      await removeFiles(backup, refused);
      await backup.expect(5, { stderr: /guards.max_delete: expected at most/ });
      await forget(backup);
      await backup.expect(5, { stderr: /guards.max_delete: expected at most/ });
      const back = Object.entries(ten).slice(allowed, refused);
      await backup.write(Object.fromEntries(back));
      await backup.expect(0);
      assert.equal((await backup.stored()).length, 10 - allowed);
    });
  }

  test(titled("max_delete = off lets all but the last file go"), async (t) => {
    const backup = await makeBackedUp(t, rclone, { guards: { max_delete: "off" } }, ten);
    await removeFiles(backup, 9);
    await backup.expect(0);
    assert.deepEqual(await backup.stored(), ["file9"]);
  });

  test(
    titled("max_change is off by default with a warning above half, and refuses when set"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, ten);
      const change = async (count: number, text: string): Promise<void> =>
        backup.write(manyFilesWith(count, text));
      await change(5, "half of them");
      await backup.expect(0);
      await change(6, "more than half");
      await backup.expect(0, {
        stderr:
          /^rclone-backup: warning: more than half of the files are overwritten: 6 files of 10/,
      });
      assert.equal((await backup.record()).last?.result, "warning");
      await backup.configure({ guards: { max_change: "30%" } });
      await backup.expect(0);
      await change(4, "ransom");
      const { stderr } = await backup.expect(5, {
        stderr: /guards.max_change: expected at most 30%.*overwritten, found 4 files of 10/,
      });
      assert.doesNotMatch(stderr, /more than half/);
      assert.equal(await backup.content("file0"), "more than half");
      await backup.configure({ guards: { max_change: "4" } });
      await backup.expect(0);
      assert.equal(await backup.content("file0"), "ransom");
    },
  );

  test(titled("the flag allows exactly the refused plan, once"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, ten);
    await removeFiles(backup, 7);
    const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
    assert.equal(
      (await backup.report([], { code: 5 })).refused_plan,
      id,
      "the same plan, the same id",
    );
    await backup.expect(5, {
      args: ["--allow-refused-plan", "0123456789ab"],
      stderr: /--allow-refused-plan 0123456789ab names no plan that was refused last/,
    });
    const refused = await readFile(
      path.join(await backup.stateDirectory(), "refused.list"),
      "utf8",
    );
    assert.equal(lines(refused).length, 7);
    await backup.expect(0, { args: ["--allow-refused-plan", id] });
    assert.deepEqual(await backup.stored(), ["file7", "file8", "file9"]);
    assert.equal((await backup.record()).refused, undefined);
    // Used up: the next loss of the same kind is refused again.
    await backup.write(Object.fromEntries(Object.entries(ten).slice(0, 7)));
    await backup.expect(0);
    await removeFiles(backup, 7);
    await backup.expect(5, { args: ["--allow-refused-plan", id] });
    assert.equal((await backup.stored()).length, 10);
  });

  test(titled("a plan that grew since is refused again, a smaller one is allowed"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, ten);
    await removeFiles(backup, 6);
    const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
    await removeFiles(backup, 7);
    const again = await backup.report(["--allow-refused-plan", id], { code: 5 });
    assert.match(again.message ?? "", /the refused plan did not delete file6/);
    assert.notEqual(again.refused_plan, id);
    assert.equal((await backup.stored()).length, 10);
    await backup.write({ file0: ten["file0"] ?? "", new: "an addition never matters" });
    await backup.expect(0, { args: ["--allow-refused-plan", again.refused_plan ?? ""] });
    assert.deepEqual(await backup.stored(), ["file0", "file7", "file8", "file9", "new"]);
  });

  test(titled("an allowance to overwrite covers no deletion within the limit"), async (t) => {
    const backup = await makeBackedUp(t, rclone, { guards: { max_change: "1" } }, ten);
    await backup.write({ file8: "changed", file9: "changed" });
    const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
    await removeFiles(backup, 5);
    const again = await backup.report(["--allow-refused-plan", id], { code: 5 });
    assert.match(again.message ?? "", /the refused plan did not delete file0/);
    assert.equal((await backup.stored()).length, 10);
    await backup.expect(0, { args: ["--allow-refused-plan", again.refused_plan ?? ""] });
  });

  for (const [from, message] of [
    ["manifest", /the refused plan did not overwrite file8/],
    ["dry run", /the refused plan did not overwrite 2 files/],
  ] as const) {
    test(titled(`an allowance to delete covers no overwriting, by a ${from}`), async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, ten);
      await removeFiles(backup, 7);
      if (from === "dry run") await forget(backup);
      const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
      await backup.write({ file8: "changed", file9: "changed" });
      const again = await backup.report(["--allow-refused-plan", id], { code: 5 });
      assert.equal(again.plan?.counted_from, from);
      assert.match(again.message ?? "", message);
      assert.equal(await backup.content("file8"), ten["file8"]);
      assert.equal((await backup.stored()).length, 10);
    });
  }

  test(titled("the flag works for what a dry run counted, too"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, ten);
    await removeFiles(backup, 7);
    await forget(backup);
    const told = await backup.report([], { code: 5 });
    assert.equal(told.plan?.counted_from, "dry run");
    await backup.expect(0, { args: ["--allow-refused-plan", told.refused_plan ?? ""] });
    assert.equal((await backup.stored()).length, 3);
  });
}

test("an allowance for deletions covers no overwriting", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, { guards: { max_change: "10%" } }, ten);
  await removeFiles(backup, 7);
  const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
  await backup.write({ file8: "changed", file9: "changed" });
  const { stderr } = await backup.expect(5, { args: ["--allow-refused-plan", id] });
  assert.match(stderr, /the refused plan did not hold this: guards.max_change/);
});

test("the hint repeats what shaped the plan, and works when it is typed", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, ten);
  await removeFiles(backup, 4);
  const given = ["--copy-links", "--rclone-config", path.join(backup.root, "it's rclone.conf")];
  await copyFile(backup.rcloneConf, given[2] ?? "");
  const { hint } = await backup.report(["--set", "guards.max_delete=1", ...given], { code: 5 });
  const [, typed = ""] = /once: rclone-backup (.*)$/s.exec(hint ?? "") ?? [];
  assert.match(typed, /^--rclone-config '.*it'\\''s rclone.conf' --copy-links --set guards/);
  const words = await run("sh", ["-c", `printf '%s\\n' ${typed}`]);
  const result = await backup.backup(lines(words.stdout));
  assert.equal(result.code, 0, result.stderr);
  assert.equal((await backup.stored()).length, 6);
});

test("the hint quotes the configuration's path and shows no secret", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, ten);
  const file = path.join(backup.root, "my $HOME.conf");
  await copyFile(path.join(backup.config, "home.conf"), file);
  const set = `default.destination=:alias,remote='${backup.store}/other',token=S3CR3T:`;
  assert.equal((await backup.backup([file, "--set", set])).code, 0);
  await removeFiles(backup, 9);
  const { code, stderr } = await backup.backup([file, "--set", set]);
  assert.equal(code, 5, stderr);
  assert.match(
    stderr,
    /--set 'default\.destination=:alias,.*--allow-refused-plan \w+ '\S*my \$HOME/,
  );
  assert.doesNotMatch(stderr, /S3CR3T/);
});

test("an emptied source can be allowed, too", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, ten);
  await removeFiles(backup, 10);
  const id = (await backup.report([], { code: 5 })).refused_plan ?? "";
  await backup.expect(0, { args: ["--allow-refused-plan", id] });
  assert.deepEqual(await backup.stored(), []);
});

test("a dry run tells of the refusal and leaves no trace of it", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, ten);
  await removeFiles(backup, 7);
  await backup.expect(5, { args: ["-n"], stderr: /max_delete/ });
  assert.equal((await backup.record()).refused, undefined);
  assert.equal((await backup.record()).last?.exitCode, 0);
});

test("the flag belongs to a backup", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await backup.expect(2, { args: ["--ls", "--allow-refused-plan", "0123456789ab"] });
});

function manyFilesWith(count: number, text: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`file${at}`, text]));
}
