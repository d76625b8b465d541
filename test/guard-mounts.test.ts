import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { test } from "node:test";
import { makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { run } from "./helpers/command.ts";
import type { Result } from "./helpers/command.ts";
import { compiled } from "./helpers/command.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// Mounts in the source are remembered. Each night runs in a mount namespace of its own, in which the
// test mounts what that night should find.
const skip = process.getuid?.() === 0 ? false : "only root may mount";

/** One night: mounts first, then the backup. */
async function night(
  backup: TestBackup,
  mounts: string,
  args: readonly string[] = [],
): Promise<Result> {
  const command = [process.execPath, compiled("rclone-backup"), ...args, "home"];
  const script = `set -e; cd '${backup.source}'; ${mounts}; exec "$@"`;
  return run("unshare", ["-m", "sh", "-c", script, "sh", ...command], { env: backup.env });
}

const tmpfs = (place: string, file: string): string =>
  `mount -t tmpfs ${place} ${place}; echo ${file} >${place}/${file}; touch -d 2024-01-01 ${place}/${file}`;

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(
    titled("a nested mount that is gone is refused, though few files are"),
    { skip },
    async (t) => {
      const backup = await makeBackup(t, rclone, {}, manyFiles(20));
      await mkdir(`${backup.source}/disk`);
      const first = await night(backup, tmpfs("disk", "photo"));
      assert.deepEqual([first.code, first.stderr], [0, ""]);
      const gone = await night(backup, "true");
      assert.equal(gone.code, 5, gone.stderr);
      assert.match(gone.stderr, /nested mount disk is no longer mounted \(was tmpfs:disk\)/);
      assert.ok((await backup.stored()).includes("disk/photo"));
      const back = await night(backup, tmpfs("disk", "photo"));
      assert.deepEqual([back.code, back.stderr], [0, ""]);
      const again = await night(backup, "true");
      const [, id = ""] = /--allow-refused-plan ([0-9a-f]{12})/.exec(again.stderr) ?? [];
      const allowed = await night(backup, "true", ["--allow-refused-plan", id]);
      assert.equal(allowed.code, 0, allowed.stderr);
      assert.ok(!(await backup.stored()).includes("disk/photo"));
      const after = await night(backup, "true");
      assert.deepEqual([after.code, after.stderr], [0, ""], "the new mounts are remembered");
    },
  );

  for (const [when, refusal, double] of [
    [
      "during the listing",
      { code: 5, text: /nested mount disk is no longer mounted/ },
      `case "$*" in lsf*"$SOURCE"*) umount disk ;; esac`,
    ],
    [
      "between the listing and the sync",
      { code: 5, text: /nested mount disk is no longer mounted/ },
      `case "$*" in *--dry-run*) "$REAL" "$@"; umount disk; exit 0 ;; esac`,
    ],
    [
      "as the sync begins",
      { code: 1, text: /no more deletions than planned[^]*nested mount disk is no longer mounted/ },
      `case "$*" in sync*--dry-run*) ;; sync*) umount disk ;; esac`,
    ],
  ] as const) {
    test(titled(`a nested mount that goes away ${when} loses nothing`), { skip }, async (t) => {
      const backup = await makeBackup(t, rclone, {}, manyFiles(20));
      await mkdir(`${backup.source}/disk`);
      const first = await night(backup, tmpfs("disk", "photo"));
      assert.equal(first.code, 0, first.stderr);
      // Without a manifest there is a dry run, after the listing and before the sync.
      await rm(`${await backup.stateDirectory()}/manifest.gz`);
      await backup.trace(
        `REAL='${rclone.path}' SOURCE='${backup.source}'; cd "$SOURCE"; if mountpoint -q disk; then ${double}; fi`,
      );
      const gone = await night(backup, tmpfs("disk", "photo"));
      assert.equal(gone.code, refusal.code, gone.stderr);
      assert.match(gone.stderr, refusal.text);
      assert.ok((await backup.stored()).includes("disk/photo"));
      assert.deepEqual(
        (await backup.record()).mounts?.nested.map((mount) => mount.path),
        ["disk"],
        "it is remembered",
      );
      const later = await night(backup, "true");
      assert.equal(later.code, 5, later.stderr);
      await backup.trace();
      const back = await night(backup, tmpfs("disk", "photo"));
      assert.equal(back.code, 0, back.stderr);
      assert.equal((await backup.stored()).length, 21);
    });
  }

  test(titled("a mount that comes back after the listing loses nothing"), { skip }, async (t) => {
    const backup = await makeBackup(t, rclone, {}, manyFiles(20));
    await mkdir(`${backup.source}/disk`);
    const first = await night(backup, tmpfs("disk", "photo"));
    assert.equal(first.code, 0, first.stderr);
    await backup.trace(
      `case "$*" in lsf*'${backup.source}'*) '${rclone.path}' "$@"; cd '${backup.source}'; ${tmpfs("disk", "photo")}; exit 0 ;; esac`,
    );
    const late = await night(backup, "true");
    assert.equal(late.code, 5, late.stderr);
    assert.match(late.stderr, /nested mount disk was not mounted before \(now tmpfs:disk\)/);
    assert.ok((await backup.stored()).includes("disk/photo"));
  });

  test(
    titled("a mount without files of the backup may go away during the listing"),
    { skip },
    async (t) => {
      const backup = await makeBackup(t, rclone, {}, manyFiles(3));
      await mkdir(`${backup.source}/empty`);
      const first = await night(backup, "mount -t tmpfs e empty");
      assert.equal(first.code, 0, first.stderr);
      await backup.trace(
        `case "$*" in lsf*'${backup.source}'*) umount '${backup.source}/empty' ;; esac`,
      );
      const gone = await night(backup, "mount -t tmpfs e empty");
      assert.deepEqual([gone.code, gone.stderr], [0, ""]);
    },
  );
}

test("another device in a mount's place is refused", { skip }, async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, manyFiles(20));
  await mkdir(`${backup.source}/disk`);
  const first = await night(backup, tmpfs("disk", "photo"));
  assert.equal(first.code, 0, first.stderr);
  const other = await night(backup, `mount -t tmpfs other disk; echo photo >disk/photo`);
  assert.equal(other.code, 5, other.stderr);
  assert.match(
    other.stderr,
    /nested mount disk is another device \(was tmpfs:disk, now tmpfs:other\)/,
  );
});

test("the source itself on another device is refused", { skip }, async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, manyFiles(2));
  const fill = "cd ..; mount -t tmpfs NAME src; cd src; echo x >a; touch -d 2024-01-01 a";
  const first = await night(backup, fill.replace("NAME", "one"));
  assert.equal(first.code, 0, first.stderr);
  const other = await night(backup, fill.replace("NAME", "two"));
  assert.equal(other.code, 5, other.stderr);
  assert.match(other.stderr, /source is on another device \(was tmpfs:one, now tmpfs:two\)/);
  const unmounted = await night(backup, "true");
  assert.equal(unmounted.code, 5, unmounted.stderr);
  assert.match(unmounted.stderr, /source is on another device/);
});

test("an allowance names the mounts it is for", { skip }, async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, manyFiles(20));
  await mkdir(`${backup.source}/disk`);
  await mkdir(`${backup.source}/more`);
  const both = `${tmpfs("disk", "photo")}; ${tmpfs("more", "film")}`;
  assert.equal((await night(backup, both)).code, 0);
  const one = await night(backup, tmpfs("more", "film"));
  assert.equal(one.code, 5, one.stderr);
  const [, id = ""] = /--allow-refused-plan ([0-9a-f]{12})/.exec(one.stderr) ?? [];
  const none = await night(backup, "true", ["--allow-refused-plan", id]);
  assert.equal(none.code, 5, none.stderr);
  assert.match(none.stderr, /the refused plan did not hold this: nested mount more/);
  const allowed = await night(backup, tmpfs("more", "film"), [
    "--allow-refused-plan",
    /--allow-refused-plan ([0-9a-f]{12}) /.exec(
      (await night(backup, tmpfs("more", "film"))).stderr,
    )?.[1] ?? "",
  ]);
  assert.equal(allowed.code, 0, allowed.stderr);
});

test("new mounts, empty ones and those the filters leave out don't matter", { skip }, async (t) => {
  const backup = await makeBackup(t, oldRclone, { filters: ["- /cache/**"] }, manyFiles(20));
  for (const name of ["disk", "cache", "empty"]) await mkdir(`${backup.source}/${name}`);
  assert.equal((await night(backup, "true")).code, 0);
  const mounted = `${tmpfs("disk", "photo")}; ${tmpfs("cache", "x")}; mount -t tmpfs e empty`;
  const more = await night(backup, mounted);
  assert.deepEqual([more.code, more.stderr], [0, ""]);
  const fewer = await night(backup, tmpfs("disk", "photo"));
  assert.deepEqual([fewer.code, fewer.stderr], [0, ""]);
});

test("require_mount holds for a mount and not for a directory", { skip }, async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { "disk/a": "1" });
  await backup.configure({ guards: { require_mount: `${backup.source}/disk` } });
  const unmounted = await night(backup, "true");
  assert.equal(unmounted.code, 5, unmounted.stderr);
  assert.match(unmounted.stderr, /guards\.require_mount: expected a mount at .*disk, found none/);
  const mounted = await night(backup, tmpfs("disk", "photo"));
  assert.equal(mounted.code, 0, mounted.stderr);
  // A hook that takes the mount away again.
  await backup.configure({
    default: { pre_command: `umount ${backup.source}/disk` },
    guards: { require_mount: `${backup.source}/disk` },
  });
  const taken = await night(backup, tmpfs("disk", "photo"));
  assert.equal(taken.code, 5, taken.stderr);
  assert.match(taken.stderr, /require_mount/);
});
