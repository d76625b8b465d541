import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { assertEqualEnds, fillSource, inNamespace, readState, writeHome } from "./helpers/fault.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* Sources that can't be read, destinations and state directories that can't be written. */

test("a source that is not there or no directory: 2, with the setting to look at", async (t) => {
  const sandbox = await makeSandbox(t);
  const file = await writeHome(sandbox);
  await rm(sandbox.source, { recursive: true });
  const missing = await sandbox.backup(["home"]);
  assert.equal(missing.code, 2);
  assert.equal(
    missing.stderr,
    `rclone-backup: error: source: expected a directory, found nothing at ${sandbox.source}\n` +
      `rclone-backup: hint: check source in ${file}\n`,
  );
  await writeFile(sandbox.source, "a file");
  const noDirectory = await sandbox.backup(["home"]);
  assert.equal(noDirectory.code, 2);
  assert.match(noDirectory.stderr, /expected a directory, found something else at /);
  // Below a file.
  await sandbox.writeConfig(
    "home",
    `[default]\nsource = ${sandbox.source}/x\ndestination = secret:\n`,
  );
  assert.equal((await sandbox.backup(["home"])).code, 2);
});

for (const rclone of rclones) {
  test(`a source that can't be read in part: 3, what it is, and how long nothing is deleted (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { a: 1, b: 2, "dir/in": 3, gone: 4 });
    assert.equal((await sandbox.backup(["home"])).code, 0);
    await chmod(path.join(sandbox.source, "b"), 0);
    await chmod(path.join(sandbox.source, "dir"), 0);
    await rm(path.join(sandbox.source, "gone"));
    await fillSource(sandbox, { fresh: 5 });
    await writeFile(path.join(sandbox.source, "b.new"), "x", { mode: 0 });
    const part = await sandbox.backup(["home"], { unprivileged: true });
    assert.equal(part.code, 3, part.stderr);
    assert.match(part.stderr, /2 files or directories failed, the rest is backed up/);
    assert.match(part.stderr, /as long as files fail, nothing is deleted/);
    assert.match(part.stderr, /^ {2}dir: .*permission denied/m);
    assert.match(part.stderr, /^ {2}b\.new: .*permission denied/m);
    const list = ["lsf", "-R", "--files-only", "secret:"];
    const held = await sandbox.runRclone(list);
    assert.deepEqual(held.stdout.trimEnd().split("\n").toSorted(), [
      ...["a", "b", "dir/in", "fresh", "gone"],
    ]);
    await chmod(path.join(sandbox.source, "b.new"), 0o600);
    await chmod(path.join(sandbox.source, "b"), 0o600);
    await chmod(path.join(sandbox.source, "dir"), 0o700);
    const good = await sandbox.backup(["home"], { unprivileged: true });
    assert.equal(good.code, 0, good.stderr);
    await assertEqualEnds(sandbox);
  });

  test(`a source that can't be read at all: 1, nothing is deleted, then or later (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { a: 1 });
    assert.equal((await sandbox.backup(["home"])).code, 0);
    await chmod(sandbox.source, 0);
    for (const args of [["home"], ["--ls", "home"], ["-n", "home"]]) {
      const result = await sandbox.backup(args, { unprivileged: true });
      assert.equal(result.code, 1, `${args.join(" ")}: ${result.stderr}`);
      assert.match(result.stderr, /source: .*permission denied/);
    }
    const held = await sandbox.runRclone(["lsf", "secret:"]);
    assert.equal(held.stdout, "a\n");
    await chmod(sandbox.source, 0o700);
    assert.equal((await sandbox.backup(["home"], { unprivileged: true })).code, 0);
  });

  test(`a full destination: told with its reason, and a rerun with room works (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { "a-small": 1000, "b-big": 3_000_000, "c-big": 3_000_000 });
    const [full, again, verified] = await inNamespace(
      sandbox,
      `mount -t tmpfs -o size=4m,mode=0755 store "$STORE"
       backup --json home
       mount -o remount,size=40m "$STORE"
       backup home
       backup --verify all home`,
    );
    assert.ok(full !== undefined && again !== undefined && verified !== undefined);
    assert.equal(full.code, 3, full.stderr);
    assert.match(full.stderr, /no space left on device|file too big for remaining disk space/);
    assert.match(full.stderr, /1 file or directory failed/);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(again.stderr, "");
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /^verified 3 of 3 files/);
  });

  test(`a destination that can't be written: told with its reason (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { a: 1 });
    const [readOnly] = await inNamespace(
      sandbox,
      `mount --bind "$STORE" "$STORE" && mount -o remount,bind,ro "$STORE"
       backup home`,
    );
    assert.ok(readOnly !== undefined);
    assert.ok(readOnly.code === 1 || readOnly.code === 3, readOnly.stderr);
    assert.match(readOnly.stderr, /read-only file system/);

    await mkdir(path.join(sandbox.store, "secret"), { mode: 0o500 });
    const denied = await sandbox.backup(["home"], { unprivileged: true });
    assert.ok(denied.code === 1 || denied.code === 3, denied.stderr);
    assert.match(denied.stderr, /permission denied/);
    await chmod(path.join(sandbox.store, "secret"), 0);
    const unseen = await sandbox.backup(["home"], { unprivileged: true });
    assert.equal(unseen.code, 1, unseen.stderr);
    assert.match(unseen.stderr, /destination: .*permission denied/);
    await chmod(path.join(sandbox.store, "secret"), 0o700);
    const good = await sandbox.backup(["home"], { unprivileged: true });
    assert.equal(good.code, 0, good.stderr);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`a destination without any room: 1 or 3, with the reason (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    await fillSource(sandbox, { a: 1000, b: 100_000 });
    const [full] = await inNamespace(
      sandbox,
      `mount -t tmpfs -o size=64k,mode=0755 store "$STORE"
       head -c 65536 /dev/zero >"$STORE/filler" || true
       backup home`,
    );
    assert.ok(full !== undefined);
    assert.ok(full.code === 1 || full.code === 3, full.stderr);
    assert.match(full.stderr, /no space left on device|file too big for remaining disk space/);
    assert.match(full.stderr, /hint: /);
  });
}

test("a full state directory: 1, nothing is lost, and a rerun with room works", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { keep: 10 });
  for (let at = 0; at < 3000; at += 1)
    await writeFile(path.join(sandbox.source, `file ${at} ${"x".repeat(100)}`), "");
  const results = await inNamespace(
    sandbox,
    `mount -t tmpfs -o size=8m,mode=0755 state "$STATE"
     backup home
     for room in 0 8 64 256 600; do
       rm -f "$STATE/filler"
       head -c 8m /dev/zero >"$STATE/filler" 2>/dev/null || true
       truncate -s -\${room}k "$STATE/filler"
       touch "$SRC/keep"
       backup home
     done
     rm "$STATE/filler"
     backup home
     backup --verify files=20 home`,
  );
  const [first, ...tight] = results;
  assert.equal(first?.code, 0, first?.stderr);
  const verified = tight.pop();
  const good = tight.pop();
  assert.equal(tight.length, 5);
  for (const result of tight.slice(0, 4)) {
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /the disk is full|No space left on device/);
    assert.match(result.stderr, /hint: /);
  }
  assert.equal(good?.code, 0, good?.stderr);
  assert.equal(verified?.code, 0, verified?.stderr);
  const held = await sandbox.runRclone(["size", "secret:"]);
  assert.match(held.stdout, /Total objects: [\d.]+k? \(3001\)|Total objects: 3001/);
});

test("a source where special-files.tar.gz can't be written: a warning, and the rest is backed up", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { a: 1 });
  const [readOnly] = await inNamespace(
    sandbox,
    `ln -s a "$SRC/link"
     mount --bind "$SRC" "$SRC" && mount -o remount,bind,ro "$SRC"
     backup home`,
  );
  assert.equal(readOnly?.code, 0, readOnly?.stderr);
  assert.match(readOnly?.stderr ?? "", /^rclone-backup: warning: special.files/);
  const held = await sandbox.runRclone(["lsf", "secret:"]);
  assert.equal(held.stdout, "a\n");
  const state = await readState(sandbox);
  assert.equal(state?.last, "warning");
});

test("a state directory that can't be made or written: 1, and how to have another", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { a: 1 });
  const file = path.join(sandbox.root, "file");
  await writeFile(file, "");
  const none = await sandbox.backup(["home"], { env: { RCLONE_BACKUPS_STATE: `${file}/state` } });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /found a file on the way/);
  assert.match(none.stderr, /hint: set RCLONE_BACKUPS_STATE/);
  await chmod(sandbox.state, 0o500);
  const denied = await sandbox.backup(["home"], { unprivileged: true });
  assert.equal(denied.code, 1, denied.stderr);
  assert.match(denied.stderr, /cannot make the directory .*EACCES/);
  const held = await sandbox.runRclone(["lsf", "secret:"]);
  assert.equal(held.stdout, "", "nothing was done");
});

test("a damaged record is set aside and told, and the run counts anew", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { a: 1 });
  assert.equal((await sandbox.backup(["home"])).code, 0);
  const [record = ""] = (await sandbox.runRclone(["lsf", "-R", sandbox.state])).stdout
    .split("\n")
    .filter((name) => name.endsWith("/state.json"));
  await writeFile(path.join(sandbox.state, record), "{ cut");
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /warning: state: expected JSON, found a damaged file; it is kept as/);
  const kept = await readFile(path.join(sandbox.state, `${record}.damaged`), "utf8");
  assert.equal(kept, "{ cut");
});
