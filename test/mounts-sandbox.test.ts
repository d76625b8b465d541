import assert from "node:assert/strict";
import { test } from "node:test";
import { mountAt, mountsBelow, parseMountinfo } from "../lib/guard/mounttable.ts";
import type { Mount } from "../lib/guard/mounttable.ts";
import { withoutSelfBinds } from "../lib/guard/selfbinds.ts";
import { compiled, run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/*
 * A service manager mounts each directory that a service may write to on itself. Guards must see what
 * they would see without it, or an unmounted disk would pass for a mounted one.
 */

const table = (...lines: readonly string[]): Mount[] =>
  withoutSelfBinds(parseMountinfo(lines.join("\n")));

test("a directory that is mounted on itself is no mount, wherever it lies", () => {
  const mounts = table(
    "1 0 8:1 / / ro - ext4 /dev/sda1 rw",
    "2 1 8:1 /srv/data /srv/data rw - ext4 /dev/sda1 rw",
    String.raw`3 1 8:1 /a\040b /a\040b rw - ext4 /dev/sda1 rw`,
    "4 1 0:5 /@home /home rw - btrfs /dev/sdb1 rw",
    "5 4 0:5 /@home/ann /home/ann rw - btrfs /dev/sdb1 rw",
    "6 5 8:1 /srv/data /home/ann rw - ext4 /dev/sda1 rw",
  );
  assert.deepEqual(
    mounts.map(({ id, parent }) => [id, parent]),
    [
      [1, 0],
      [4, 1],
      [6, 4],
    ],
  );
  assert.equal(mountAt(mounts, "/srv/data")?.mountPoint, "/");
  assert.equal(mountAt(mounts, "/home/bob")?.id, 4);
});

test("disks, subvolumes, and binds of other directories stay mounts", () => {
  const lines = [
    "1 0 0:5 /@ / rw - btrfs /dev/sda1 rw",
    "2 1 0:5 /@home /home rw - btrfs /dev/sda1 rw",
    "3 1 8:17 / /srv rw - ext4 /dev/sdb1 rw",
    "4 3 8:17 /other /srv/data rw - ext4 /dev/sdb1 rw",
    "5 1 8:33 /mnt /mnt rw - ext4 /dev/sdc1 rw",
  ];
  assert.equal(table(...lines).length, lines.length);
});

test("a disk on a directory that is mounted on itself is seen, and what it hid is not", () => {
  const mounts = table(
    "1 0 8:1 / / ro - ext4 /dev/sda1 rw",
    "2 1 0:9 / /srv/data/hidden rw - tmpfs hidden rw",
    "3 1 8:1 /srv/data /srv/data rw - ext4 /dev/sda1 rw",
    "4 3 8:17 / /srv/data/disk rw - ext4 /dev/sdb1 rw",
  );
  assert.deepEqual(
    mountsBelow(mounts, "/srv/data").map(({ id }) => id),
    [4],
  );
});

test("a bare mount point that a service may write to is still refused", async (t) => {
  const sandbox = await makeSandbox(t);
  await sandbox.writeConfig(
    "x",
    `[default]\nsource = ${sandbox.source}\ndestination = secret:x\narchive_specials = no\n[guards]\nrequire_mount = ${sandbox.source}\n`,
  );
  const { env, source } = sandbox;
  const program = compiled("rclone-backup");
  const result = await run(
    "unshare",
    [
      "-mr",
      "sh",
      "-c",
      'echo a >"$SRC/a"; mount --bind "$SRC" "$SRC" && exec "$NODE" "$PROGRAM" x',
    ],
    { env: { ...env, SRC: source, NODE: process.execPath, PROGRAM: program } },
  );
  assert.equal(result.code, 5, result.stderr);
  assert.match(result.stderr, /require_mount/);
});
