import assert from "node:assert/strict";
import { access, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isAlive, processStart } from "../lib/state/process.ts";
import { makeBackedUp, makeBackup, until } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import type { Live } from "./helpers/command.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";
import type { Rclone } from "./helpers/rclones.ts";

// Two runs at the same time, and runs that are killed.

/** A backup of a small file, to which a big one is added that takes a long time to copy. */
async function slowBackup(t: TestContext, rclone: Rclone): Promise<TestBackup> {
  const backup = await makeBackedUp(t, rclone, {}, { small: "quick" });
  await backup.write({ big: Buffer.alloc(size, "x") });
  await backup.configure({ rclone: { bwlimit: "100k" } });
  await backup.trace(`[ "$1" = sync ] && echo $$ >'${pidFile(backup)}'`);
  return backup;
}

const size = 20_000_000;

function pidFile(backup: TestBackup): string {
  return path.join(backup.root, "sync.pid");
}

/** Starts a run and returns when its rclone is copying. */
async function copying(backup: TestBackup): Promise<{ live: Live; pid: number; start: string }> {
  await rm(pidFile(backup), { force: true });
  const live = backup.start();
  let pid = 0;
  await until(async () => {
    pid = Number(await readFile(pidFile(backup), "utf8"));
    const open = await readdir(`/proc/${pid}/fd`);
    const files = await Promise.all(open.map((fd) => readlink(`/proc/${pid}/fd/${fd}`)));
    return files.includes(path.join(backup.source, "big"));
  }, "rclone begins to copy");
  return { live, pid, start: processStart(pid) ?? "" };
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`a second run at the same time is skipped with 75 (${rclone.version} rclone)`, async (t) => {
    const backup = await slowBackup(t, rclone);
    const { live } = await copying(backup);
    const second = await backup.expect(75, {
      stderr: /another run holds the lock: rclone-backup home, process \d+/,
    });
    assert.equal(second.stdout, "");
    live.kill("SIGTERM");
    assert.equal((await live.done).code, 130);
  });

  test(`kill -9 during a sync: rclone dies too, and a rerun works (${rclone.version} rclone)`, async (t) => {
    const backup = await slowBackup(t, rclone);
    const { live, pid, start } = await copying(backup);
    assert.ok(isAlive(pid, start));
    live.kill("SIGKILL");
    await live.done;
    await until(async () => !isAlive(pid, start), "rclone dies with its parent");
    assert.ok((await backup.record()).running !== undefined, "the state tells of a run that began");
    await backup.configure({});
    const told = await backup.report();
    assert.equal(told.plan?.counted_from, "dry run", "nobody knows what the killed run did");
    assert.deepEqual(await backup.stored(), ["big", "small"]);
    assert.equal((await backup.content("big")).length, size);
    assert.deepEqual(await backup.manifest(), ["big", "small"]);
    const left = await readdir(await backup.stateDirectory());
    const files = ["manifest.gz", "runs.ndjson", "state.json"];
    assert.deepEqual(left.toSorted(), files, "scratch is cleared");
    assert.equal((await backup.report()).plan?.counted_from, "manifest");
  });

  test(`SIGTERM and SIGINT during a sync end it with 130 and the rerun counts (${rclone.version} rclone)`, async (t) => {
    const backup = await slowBackup(t, rclone);
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { live, pid, start } = await copying(backup);
      live.killGroup(signal);
      const result = await live.done;
      assert.equal(result.code, 130, result.stderr);
      assert.ok(!isAlive(pid, start), "rclone is gone when the command is");
      assert.equal((await backup.record()).trusted, false);
      assert.equal((await backup.record()).last?.exitCode, 130);
    }
    await backup.configure({});
    assert.equal((await backup.report()).plan?.counted_from, "dry run");
    assert.deepEqual(await backup.stored(), ["big", "small"]);
  });
}

test("the lock belongs to the destination, whatever the configuration is called", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const gate = path.join(backup.root, "gate");
  await backup.configure({
    default: { pre_command: `echo ready; while [ ! -e ${gate} ]; do sleep 0.05; done` },
  });
  const live = backup.start(["-v"]);
  await live.waitFor(/pre_command: ready/);
  // By a path elsewhere and through the store's own path instead of the remote's name.
  const other = path.join(backup.root, "other.conf");
  await writeFile(
    other,
    `[default]\nsource = ${backup.source}\ndestination = ${path.join(backup.store, "secret")}\n`,
  );
  const second = await backup.backup(["--verify", "all", other]);
  assert.equal(second.code, 75, second.stderr);
  await writeFile(gate, "");
  assert.equal((await live.done).code, 0);
  await access(path.join(backup.store, "secret"));
});
