import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { lines, makeBackup } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { compiled, run } from "./helpers/command.ts";
import { eitherRclone, oldRclone, rclones } from "./helpers/rclones.ts";

// special-files.tar.gz, as one backup makes and stores it.

const archive = "special-files.tar.gz";

async function members(backup: TestBackup): Promise<string[]> {
  const stored = await backup.runRclone(["cat", `secret:${archive}`]);
  const listed = await run("tar", ["-tzf", "-"], { input: stored.stdoutBytes });
  assert.equal(listed.code, 0, listed.stderr);
  return lines(listed.stdout)
    .map((name) => name.replace(/^\.\//, ""))
    .toSorted();
}

for (const rclone of rclones) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(
    titled("links and fifos are in the stored archive, a socket is not; nothing is uploaded twice"),
    async (t) => {
      const backup = await makeBackup(t, rclone, {}, { a: "1", 'it\'s a "dir"/b': "2" });
      await symlink("nowhere", path.join(backup.source, 'it\'s a "dir"/link'));
      await run("mkfifo", [path.join(backup.source, "fifo")]);
      const server = createServer().listen(path.join(backup.source, "socket"));
      t.after(() => server.close());
      await backup.expect(0);
      assert.deepEqual(await members(backup), ["fifo", 'it\'s a "dir"/link']);
      assert.deepEqual(await backup.stored(), ["a", 'it\'s a "dir"/b', archive].toSorted());
      const before = await readFile(path.join(backup.source, archive));
      assert.equal((await backup.report()).transferred.files, 0);
      assert.deepEqual(await readFile(path.join(backup.source, archive)), before);
    },
  );

  for (const rules of [["- special*"], ["- *.gz"], ["- /*"], ["+ /keep/**", "- *"]]) {
    test(
      titled(`the filters ${rules.join(" ")} don't lose the archive, and are honoured in it`),
      async (t) => {
        const backup = await makeBackup(t, rclone, { filters: rules }, { "keep/a": "1" });
        await symlink("x", path.join(backup.source, "keep/link"));
        await symlink("x", path.join(backup.source, "link.gz"));
        await backup.expect(0);
        assert.ok((await backup.stored()).includes(archive));
        const kept = ["keep/link", "link.gz"].filter(
          (name) =>
            rules[0] === "- special*" ||
            (rules[0] === "- *.gz" ? name !== "link.gz" : name.startsWith("keep/")),
        );
        if (rules[0] !== "- /*") assert.deepEqual(await members(backup), kept);
        const shown = await backup.expect(0, { args: ["--filters"] });
        assert.deepEqual(lines(shown.stdout), ["- *~", "- .#*", `+ /${archive}`, ...rules]);
      },
    );
  }

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(
    titled("an archive that we did not write is left alone, with a warning every night"),
    async (t) => {
      const backup = await makeBackup(t, rclone, {}, { a: "1", [archive]: "the user's own" });
      await symlink("x", path.join(backup.source, "link"));
      for (let night = 0; night < 2; night += 1) {
        await backup.expect(0, {
          stderr: /warning: .*special-files\.tar\.gz was not made by this program/,
        });
        assert.equal((await backup.record()).last?.result, "warning");
      }
      assert.equal(await backup.content(archive), "the user's own");
    },
  );
}

test("the archive goes when there are no special files any more", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1", b: "2" });
  const link = path.join(backup.source, "link");
  await symlink("x", link);
  await backup.expect(0);
  await rm(link);
  await backup.expect(0);
  assert.deepEqual(await backup.stored(), ["a", "b"]);
  assert.deepEqual((await readdir(backup.source)).toSorted(), ["a", "b"]);
});

test("with copy_links links are files, and without archive_specials nothing is archived", async (t) => {
  const backup = await makeBackup(t, oldRclone, { default: { copy_links: "yes" } }, { a: "1" });
  await symlink("a", path.join(backup.source, "link"));
  await backup.expect(0);
  assert.deepEqual(await backup.stored(), ["a", "link"]);
  await backup.configure({ default: { archive_specials: "no" } });
  await backup.expect(0);
  assert.deepEqual(await backup.stored(), ["a"]);
  assert.deepEqual((await backup.expect(0, { args: ["--filters"] })).stdout, "- *~\n- .#*\n");
});

test("a source that can't be written to: one warning, told the first night, again when it returns", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await symlink("x", path.join(backup.source, "link"));
  // By a mount where we may, since root writes whatever the permissions say.
  const night = async (mode: "ro" | "rw"): Promise<{ code: number | null; stderr: string }> => {
    if (process.getuid?.() !== 0) {
      await chmod(backup.source, mode === "ro" ? 0o500 : 0o700);
      return backup.run();
    }
    const place = `'${backup.source}'`;
    const script = `mount --bind ${place} ${place} && mount -o remount,${mode},bind ${place} && exec "$@"`;
    const command = [process.execPath, compiled("rclone-backup"), "home"];
    return run("unshare", ["-m", "sh", "-c", script, "sh", ...command], { env: backup.env });
  };
  const first = await night("ro");
  assert.equal(first.code, 0, first.stderr);
  assert.match(
    first.stderr,
    /^rclone-backup: warning: special-files\.tar\.gz was not written: .*(read-only|may not be written to)/,
  );
  assert.equal(lines(first.stderr).length, 1);
  assert.deepEqual((await backup.record()).told.length, 1, "it stays in the status");
  const second = await night("ro");
  assert.deepEqual([second.code, second.stderr], [0, ""]);
  assert.equal((await backup.record()).told.length, 1);
  assert.deepEqual(await backup.stored(), ["a"]);
  const third = await night("rw");
  assert.deepEqual([third.code, third.stderr], [0, ""]);
  assert.deepEqual(await backup.stored(), ["a", archive]);
  assert.deepEqual((await backup.record()).told, []);
  await symlink("x", path.join(backup.source, "later")).catch(() => {});
  const fourth = await night("ro");
  assert.match(fourth.stderr, /warning: special-files\.tar\.gz was not written/, "told anew");
});

test("a remote source: no archive, one warning, told once", async (t) => {
  const ends = { source: "secret:photos", destination: "plain:backup" };
  const backup = await makeBackup(t, oldRclone, { default: ends });
  const folder = path.join(backup.root, "folder");
  await backup.write({ [path.join(folder, "a")]: "1" });
  const copied = await backup.runRclone(["copy", folder, "secret:photos"]);
  assert.equal(copied.code, 0, copied.stderr);
  await backup.expect(0, {
    stderr: /^rclone-backup: warning: special files: expected a source on this machine/,
  });
  await backup.expect(0);
  await backup.configure({ default: { ...ends, archive_specials: "no" } });
  await backup.expect(0);
});

test("the archive is as old as its newest member that is not from the future", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const directory = path.join(backup.source, "d");
  await mkdir(directory);
  await run("mkfifo", [path.join(directory, "old"), path.join(directory, "future")]);
  await utimes(path.join(directory, "old"), 1_600_000_000, 1_600_000_000);
  const nextYear = Date.now() / 1000 + 365 * 86_400;
  await utimes(path.join(directory, "future"), nextYear, nextYear);
  await backup.expect(0);
  const listed = await backup.runRclone(["lsf", "--format", "t", `secret:${archive}`]);
  assert.equal(listed.stdout, "2020-09-13 12:26:40\n");
  await writeFile(path.join(backup.source, "more"), "x");
  assert.equal((await backup.report()).transferred.files, 1);
});
