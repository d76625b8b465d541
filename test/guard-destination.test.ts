import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { callsOf, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { run } from "./helpers/command.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// A destination that has lost what the last run left there is refused: rclone alone would upload
// everything again without a word.

const expectedThere = /destination: expected the 3 files that the last run left there, found/;

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(
    titled("an emptied destination is refused, and filled again when that is allowed"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
      await rm(path.join(backup.store, "secret"), { recursive: true });
      await mkdir(path.join(backup.store, "secret"));
      await backup.trace();
      const refused = await backup.report([], { code: 5 });
      assert.match(refused.message ?? "", expectedThere);
      assert.deepEqual(callsOf(await backup.calls(), "sync"), [], "nothing was synced");
      await backup.expect(5, { stderr: expectedThere });
      await backup.expect(0, { args: ["--allow-refused-plan", refused.refused_plan ?? ""] });
      assert.equal((await backup.stored()).length, 3);
      assert.equal((await backup.manifest()).length, 3);
      await backup.expect(0);
    },
  );

  test(
    titled("a destination that was moved away is refused, and fine when it is back"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
      const away = path.join(backup.root, "away");
      await rename(path.join(backup.store, "secret"), away);
      await backup.expect(5, { stderr: expectedThere });
      await rename(away, path.join(backup.store, "secret"));
      await backup.expect(0);
    },
  );

  test(titled("so it is when the first run on a full destination was partial"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, manyFiles(3));
    // As if another program had made this backup so far.
    await rm(path.join(backup.state, "backups"), { recursive: true });
    await backup.write({ locked: "x", fresh: "y" });
    await chmod(path.join(backup.source, "locked"), 0o000);
    for (const counted of ["first", "again"]) {
      const partial = await backup.report([], { code: 3, unprivileged: true });
      assert.equal(partial.plan?.counted_from, "dry run", counted);
      assert.equal((await backup.record()).held, 4, counted);
    }
    await chmod(path.join(backup.source, "locked"), 0o600);
    await rm(path.join(backup.store, "secret"), { recursive: true });
    await backup.expect(5, { stderr: /destination: expected the 4 files that the last run left/ });
  });

  for (const destination of ["secret:", "secret:data", "secret:data/deep"]) {
    test(titled(`another password is refused at ${destination}`), async (t) => {
      const backup = await makeBackedUp(t, rclone, { default: { destination } }, manyFiles(3));
      await changePassword(backup);
      const store = await backup.stored(path.join(backup.store, "secret"));
      const refused = await backup.report([], { code: 5 });
      assert.match(refused.message ?? "", expectedThere);
      assert.deepEqual(
        await backup.stored(path.join(backup.store, "secret")),
        store,
        "nothing was uploaded",
      );
      assert.match(refused.refused_plan ?? "", /^[0-9a-f]{12}$/);
    });
  }
}

test("a remote made anew elsewhere is refused, and taken when that is allowed", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, manyFiles(3));
  const text = await readFile(backup.rcloneConf, "utf8");
  const elsewhere = path.join(backup.root, "elsewhere");
  await writeFile(
    backup.rcloneConf,
    text.replace(path.join(backup.store, "secret"), path.join(elsewhere, "secret")),
  );
  const refused = await backup.report([], { code: 5 });
  assert.match(refused.message ?? "", expectedThere);
  await backup.expect(0, { args: ["--allow-refused-plan", refused.refused_plan ?? ""] });
  assert.equal((await backup.stored()).length, 3);
  await backup.expect(0);
});

test("files of others at the destination are not what the last run left there", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, manyFiles(3));
  const disk = path.join(backup.store, "secret");
  // As in the mount point of a disk that is not mounted.
  await rename(disk, path.join(backup.store, "away"));
  await put(backup, "NOT_MOUNTED");
  const before = await backup.stored(disk);
  const refused = await backup.report([], { code: 5 });
  assert.match(refused.message ?? "", expectedThere);
  assert.match(refused.message ?? "", /found only others/);
  assert.deepEqual(await backup.stored(disk), before);
  // Nor where no manifest tells what should be there.
  await writeFile(path.join(await backup.stateDirectory(), "manifest.gz"), "damaged");
  await backup.expect(5, { stderr: /found only others/ });
  const again = await backup.report([], { code: 5 });
  await backup.expect(0, { args: ["--allow-refused-plan", again.refused_plan ?? ""] });
  assert.equal((await backup.stored()).length, 3);
});

test("a file that somebody adds at the destination is no reason to refuse", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, manyFiles(3));
  await put(backup, "!first of all");
  await backup.expect(0);
});

test("a destination that the user changed on purpose is a first run", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, manyFiles(3));
  await backup.configure({ default: { destination: "secret:other" } });
  await rm(path.join(backup.store, "secret"), { recursive: true });
  await backup.expect(0);
  assert.equal((await backup.stored("secret:other")).length, 3);
});

test("what a failed run left at the destination is guarded too", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, manyFiles(3));
  await backup.write({ locked: "x" });
  await chmod(path.join(backup.source, "locked"), 0o000);
  await backup.expect(3, { unprivileged: true });
  await chmod(path.join(backup.source, "locked"), 0o600);
  await rm(path.join(backup.store, "secret"), { recursive: true });
  await backup.expect(5, { stderr: /destination: expected the 3 files that the last run left/ });
});

/** Puts a file at the destination, beside the backup. */
async function put({ rclone, rcloneConf }: TestBackup, name: string): Promise<void> {
  const args = ["--config", rcloneConf, "rcat", `secret:${name}`];
  const { code, stderr } = await run(rclone.path, args, { input: "not of the backup" });
  assert.equal(code, 0, stderr);
}

async function changePassword(backup: TestBackup): Promise<void> {
  const obscured = await run(backup.rclone.path, ["obscure", "another password"]);
  const text = await readFile(backup.rcloneConf, "utf8");
  await writeFile(
    backup.rcloneConf,
    text.replace(/^password = .*$/m, `password = ${obscured.stdout.trim()}`),
  );
}
