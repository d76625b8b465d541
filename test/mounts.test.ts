import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compareMounts, describeSource, mountsWithFiles } from "../lib/guard/mounts.ts";
import type { SourceMounts } from "../lib/guard/mounts.ts";
import { mountAt, mountsBelow, parseMountinfo, unescapeField } from "../lib/guard/mounttable.ts";
import type { Mount } from "../lib/guard/mounttable.ts";

const table =
  String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /sys rw shared:7 master:3 - sysfs sysfs rw
25 22 8:17 / /srv rw - ext4 /dev/sdb1 rw
26 25 0:40 /@data /srv/data rw - btrfs /dev/mapper/pool rw,subvol=/@data
27 26 8:33 / /srv/data/usb\040disk rw - vfat /dev/sdc1 rw
28 26 0:50 / /srv/data/net rw - nfs4 nas:/export/a\040b rw
29 25 0:51 / /srv/database rw - tmpfs tmpfs rw
30 26 0:21 / /srv/data/chroot/proc rw - proc proc rw
31 26 0:60 / /srv/data/` +
  "mount\xc3\xa9" +
  String.raw` rw - tmpfs none rw
broken line
40 99 8:50 / /elsewhere rw - ext4 /dev/sdd1 rw
`;
const mounts = parseMountinfo(table);
const uuids: Readonly<Record<string, string>> = { "8:33": "AB-CD", "8:17": "1111" };
const uuid = ({ device }: Mount): string | undefined => uuids[device];

const at = (path: string): string | undefined => mountAt(mounts, path)?.mountPoint;

test("mountinfo is read with its escapes and optional fields", () => {
  assert.equal(mounts.length, 11);
  assert.deepEqual(mounts[4], {
    id: 26,
    parent: 25,
    device: "0:40",
    root: "/@data",
    mountPoint: "/srv/data",
    type: "btrfs",
    source: "/dev/mapper/pool",
  });
  assert.equal(mounts[2]?.type, "sysfs");
  assert.equal(mounts[5]?.mountPoint, "/srv/data/usb disk");
  assert.equal(unescapeField(String.raw`a\134040\011b`), "a\\040\tb");
  assert.deepEqual(parseMountinfo(""), []);
});

test("a path is on the innermost mount, and names that only begin alike don't count", () => {
  assert.equal(at("/srv/data/x/y"), "/srv/data");
  assert.equal(at("/srv/data"), "/srv/data");
  assert.equal(at("/srv/data2"), "/srv");
  assert.equal(at("/srv/database/x"), "/srv/database");
  assert.equal(at("/home"), "/");
  assert.equal(mountAt([], "/"), undefined);
});

test("of mounts on the same place the last one counts, and it hides what was below", () => {
  const stacked = parseMountinfo(
    [
      "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
      "2 1 0:1 / /a/b rw - tmpfs deep rw",
      "3 1 0:2 / /a rw - tmpfs over rw",
      "4 3 0:3 / /a rw - tmpfs top rw",
      "5 4 0:4 / /a/c rw - tmpfs seen rw",
    ].join("\n"),
  );
  assert.equal(mountAt(stacked, "/a/b")?.source, "top");
  assert.deepEqual(
    mountsBelow(stacked, "/").map(({ source }) => source),
    ["top", "seen"],
  );
});

test("a source is described by names that outlive a reboot, without pseudo file systems", () => {
  assert.deepEqual(describeSource(mounts, "/srv/data", uuid), {
    source: "btrfs:/dev/mapper/pool /@data -",
    nested: [
      // As rclone lists it: the bytes of the UTF-8 text.
      { path: "mount\xc3\xa9", identity: "tmpfs:none / -" },
      { path: "net", identity: String.raw`nfs4:nas:/export/a\040b / -` },
      { path: "usb disk", identity: "vfat:/dev/sdc1 / AB-CD" },
    ],
  });
  assert.deepEqual(
    describeSource(mounts, "/", uuid)?.nested.map(({ path }) => path),
    [
      "srv",
      "srv/data",
      "srv/data/mount\xc3\xa9",
      "srv/data/net",
      "srv/data/usb disk",
      "srv/database",
    ],
  );
});

function described(identity: string, nested: Readonly<Record<string, string>>): SourceMounts {
  return {
    source: identity,
    nested: Object.entries(nested).map(([path, its]) => ({ path, identity: its })),
  };
}

const texts = (before: SourceMounts, now: SourceMounts): string[] =>
  compareMounts(before, now).map(({ text }) => text);

test("a mount that is gone and one that is another device are found; a new one is not", () => {
  const before = described("ext4:/dev/sda1 / 1", { a: "ext4:/dev/sdb1 / 2", b: "nfs4:nas:/x / -" });
  assert.deepEqual(texts(before, before), []);
  const now = described("ext4:/dev/sda1 / 1", { b: "nfs4:other:/x /sub -", new: "tmpfs:none / -" });
  assert.deepEqual(compareMounts(before, now), [
    {
      kind: "unmounted",
      path: "a",
      text: "nested mount a is no longer mounted (was ext4:/dev/sdb1 UUID 2)",
    },
    {
      kind: "replaced",
      path: "b",
      text: "nested mount b is another device (was nfs4:nas:/x, now nfs4:other:/x /sub)",
    },
  ]);
});

test("a source on another device is found", () => {
  const before = described("ext4:/dev/sdb1 / 1111", {});
  assert.deepEqual(texts(before, described("ext4:/dev/sda1 / 2222", {})), [
    "source is on another device (was ext4:/dev/sdb1 UUID 1111, now ext4:/dev/sda1 UUID 2222)",
  ]);
});

test("a disk that got another name is the same, by its UUID", () => {
  const before = described("ext4:/dev/sdb1 / 1111", {});
  assert.deepEqual(texts(before, described("ext4:/dev/sdc1 / 1111", {})), []);
});

test("where only one run saw the UUID, the device's name decides", () => {
  const before = described("ext4:/dev/sdb1 / 1111", {});
  assert.deepEqual(texts(before, described("ext4:/dev/sdb1 / -", {})), []);
  assert.equal(texts(before, described("ext4:/dev/sdc1 / -", {})).length, 1);
});

test("another part of the same file system is another thing", () => {
  const before = described("btrfs:/dev/sdb1 /@data 1", {});
  assert.equal(texts(before, described("btrfs:/dev/sdb1 /@old 1", {})).length, 1);
});

test("mounts without files of the backup are dropped", () => {
  const seen = described("x / -", { a: "y / -", b: "z / -" });
  const kept = mountsWithFiles(seen, (path) => path === "b");
  assert.deepEqual(kept, described("x / -", { b: "z / -" }));
});

test("whatever stands in a mount's fields, comparing it with itself finds nothing", () => {
  const field = fc
    .string({ minLength: 1 })
    .map((text) =>
      [...Buffer.from(text)]
        .map((byte) =>
          byte > 32 && byte < 127 && byte !== 92
            ? String.fromCharCode(byte)
            : `\\${byte.toString(8).padStart(3, "0")}`,
        )
        .join(""),
    );
  fc.assert(
    fc.property(field, field, field, (root, source, name) => {
      const text = `1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 ${root} /${name} rw - tmpfs ${source} rw\n`;
      const seen = describeSource(parseMountinfo(text), "/", () => undefined);
      assert.ok(seen !== undefined);
      assert.deepEqual(compareMounts(seen, structuredClone(seen)), []);
      assert.equal(compareMounts(seen, { ...seen, nested: [] }).length, seen.nested.length);
    }),
  );
});
