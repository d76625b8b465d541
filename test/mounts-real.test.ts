import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { isMountPoint, observeMounts, pseudoMounts } from "../lib/guard/mountinfo.ts";
import { compareMounts } from "../lib/guard/mounts.ts";
import { run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

const observer = `
  const { isMountPoint, observeMounts, pseudoMounts } = await import(${JSON.stringify(import.meta.resolve("../lib/guard/mountinfo.ts"))});
  const [source] = process.argv.slice(1);
  console.log(JSON.stringify({ mounts: await observeMounts(source), pseudo: await pseudoMounts(source),
    isMountPoint: await isMountPoint(source) }));`;

const seenSchema = v.strictObject({
  mounts: v.strictObject({
    source: v.string(),
    nested: v.array(v.strictObject({ path: v.string(), identity: v.string() })),
  }),
  pseudo: v.array(v.string()),
  isMountPoint: v.boolean(),
});
type Seen = v.InferOutput<typeof seenSchema>;

/**
 * What is seen of a source ($SRC) at each `observe` of a shell script that runs in mount and user
 * namespaces of its own, so that it may mount what it likes, root or not.
 */
async function observed(t: TestContext, script: string): Promise<Seen[]> {
  const { source, root } = await makeSandbox(t);
  const observe =
    'observe() { "$NODE" --import tsx --input-type=module -e "$OBSERVER" "${1:-$SRC}"; }';
  const result = await run("unshare", ["-mr", "sh", "-ec", `${observe}\n${script}`], {
    env: { SRC: source, ROOT: root, NODE: process.execPath, OBSERVER: observer },
  });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => v.parse(seenSchema, JSON.parse(line)));
}

const texts = (before: Seen | undefined, now: Seen | undefined): string[] => {
  assert.ok(before !== undefined && now !== undefined);
  return compareMounts(before.mounts, now.mounts).map(({ text }) => text);
};

test("a nested disk that is unmounted, or is another, is found", async (t) => {
  const seen = await observed(
    t,
    `mkdir "$SRC/disk one" "$SRC/other"
     mount -t tmpfs first "$SRC/disk one"; observe
     mount -t tmpfs extra "$SRC/other"; observe
     umount "$SRC/disk one"; observe
     mount -t tmpfs second "$SRC/disk one"; observe`,
  );
  const [first, more, gone, second] = seen;
  assert.deepEqual(first?.mounts.nested, [{ path: "disk one", identity: "tmpfs:first / -" }]);
  assert.deepEqual(texts(first, more), [], "a new one is no finding");
  assert.deepEqual(texts(first, gone), [
    "nested mount disk one is no longer mounted (was tmpfs:first)",
  ]);
  assert.deepEqual(texts(first, second), [
    "nested mount disk one is another device (was tmpfs:first, now tmpfs:second)",
  ]);
});

test("a source whose own disk is not mounted is found", async (t) => {
  const [mounted, bare] = await observed(
    t,
    `mount -t tmpfs disk "$SRC"; observe; umount "$SRC"; observe`,
  );
  assert.equal(mounted?.isMountPoint, true);
  assert.equal(bare?.isMountPoint, false);
  assert.match(
    texts(mounted, bare)[0] ?? "",
    /^source is on another device \(was tmpfs:disk, now /,
  );
});

test("a source below a mount point is told by that mount, and links lead to it", async (t) => {
  const [direct, linked] = await observed(
    t,
    `mount -t tmpfs disk "$SRC"; mkdir -p "$SRC/a/b" "$SRC/aa"; ln -s "$SRC/a" "$ROOT/link"
     mount -t tmpfs inner "$SRC/a/b"; mount -t tmpfs beside "$SRC/aa"
     observe "$SRC/a"; observe "$ROOT/link"`,
  );
  assert.deepEqual(direct?.mounts, {
    source: "tmpfs:disk / -",
    nested: [{ path: "b", identity: "tmpfs:inner / -" }],
  });
  assert.deepEqual(linked?.mounts, direct?.mounts);
});

test("bind mounts of two directories are told apart", async (t) => {
  const [one, two] = await observed(
    t,
    `mkdir "$SRC/m" "$ROOT/one" "$ROOT/two"
     mount --bind "$ROOT/one" "$SRC/m"; observe; umount "$SRC/m"
     mount --bind "$ROOT/two" "$SRC/m"; observe`,
  );
  assert.equal(texts(one, two).length, 1);
  assert.match(texts(one, two)[0] ?? "", /\/one, now .*\/two\)$/);
});

test("a proc file system below the source is pseudo, not nested", async (t) => {
  const [seen] = await observed(
    t,
    `mkdir "$SRC/proc" "$SRC/real"; mount --rbind /proc "$SRC/proc"
     mount -t tmpfs x "$SRC/real"; observe`,
  );
  assert.deepEqual(
    seen?.mounts.nested
      .map(({ path: place }) => place)
      .filter((place) => !place.startsWith("proc/")),
    ["real"],
  );
  assert.ok(seen?.pseudo.includes("proc"));
});

test("names with blanks, newlines and bytes that are not UTF-8 are as rclone lists them", async (t) => {
  const [seen] = await observed(
    t,
    `d="$SRC/$(printf 'a b\\n\\377\\\\c')"; mkdir "$d"; mount -t tmpfs x "$d"; observe`,
  );
  assert.deepEqual(
    seen?.mounts.nested.map(({ path: place }) => place),
    ["a b\xe2\x90\x8a\xff\\c"],
  );
});

test("mount points are told from plain directories, with links and without", async (t) => {
  const { source, root } = await makeSandbox(t);
  assert.equal(await isMountPoint("/"), true);
  assert.equal(await isMountPoint("/proc/"), true);
  assert.equal(await isMountPoint(source), false);
  assert.equal(await isMountPoint(path.join(source, "missing")), false);
  symlinkSync("/proc", path.join(root, "link"));
  assert.equal(await isMountPoint(path.join(root, "link")), true);
  mkdirSync(path.join(source, "sub"));
  assert.equal(await isMountPoint(path.join(source, "sub")), false);
});

test("a missing source is not observed", async (t) => {
  const { source } = await makeSandbox(t);
  assert.equal(await observeMounts(path.join(source, "missing")), undefined);
  assert.deepEqual(await pseudoMounts(path.join(source, "missing")), []);
});
