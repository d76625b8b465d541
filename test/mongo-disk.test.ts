import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { placeOf } from "../lib/documents/place.ts";
import { isStaged, publish } from "../lib/documents/staging.ts";
import { syncFiles } from "../lib/documents/sync.ts";

/** A program `sync`, first on the PATH of this process. */
async function fakeSync(t: TestContext, script: string): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-sync-"));
  const before = process.env["PATH"] ?? "";
  t.after(async () => {
    process.env["PATH"] = before;
    await rm(directory, { recursive: true });
  });
  const file = path.join(directory, "sync");
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  process.env["PATH"] = `${directory}:${before}`;
}

test("what the disk refused is an error, though a plain sync would say nothing", async (t) => {
  await fakeSync(t, '[ "$1" = -f ] || exit 0\necho "sync: error syncing: I/O error" >&2\nexit 1');
  await assert.rejects(syncFiles([tmpdir(), path.join(tmpdir(), "not there")]), {
    outcome: "failed",
    message: /cannot sync .*I\/O error/,
  });
});

test("a sync that knows no -f syncs all", async (t) => {
  await fakeSync(t, "[ $# = 0 ] && exit 0\necho \"sync: invalid option -- 'f'\" >&2\nexit 1");
  await syncFiles([tmpdir()]);
});

/** A directory on another file system than the temporary one. */
function elsewhereThanTemporary(): string {
  const { dev } = statSync(tmpdir());
  const found = ["/dev/shm", "/var/tmp"].find((each) => statSync(each).dev !== dev);
  assert.ok(found !== undefined, "expected /dev/shm or /var/tmp on another file system");
  return found;
}

test("each file system is synced, and what is not there is passed over", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-sync-"));
  t.after(async () => rm(directory, { recursive: true }));
  const told = path.join(directory, "told");
  await fakeSync(t, `echo "$@" > '${told}'`);
  const elsewhere = elsewhereThanTemporary();
  await syncFiles([directory, path.join(directory, "not there"), elsewhere, tmpdir()]);
  assert.equal(readFileSync(told, "utf8"), `-f ${directory} ${elsewhere}\n`);
});

test("a new collection that can't be moved between mounts is written in its place by the next run", async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-sync-"));
  const elsewhere = await mkdtemp(path.join(elsewhereThanTemporary(), "rclone-backups-sync-"));
  t.after(async () => {
    for (const each of [root, elsewhere]) await rm(each, { recursive: true });
  });
  const staging = path.join(elsewhere, "collection");
  await mkdir(staging);
  const place = { ...placeOf(root, "shop", "orders"), staging };
  await mkdir(path.join(root, ".mongo-export"));
  assert.equal(isStaged(root, place), true);
  assert.throws(() => publish(place), {
    outcome: "failed",
    message: /it is on another mount/,
    hint: /run it again/,
  });
  assert.equal(isStaged(root, place), false);
  assert.equal(existsSync(staging), false);
});
