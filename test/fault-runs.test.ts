import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import {
  appears,
  assertEqualEnds,
  fillSource,
  gone,
  readState,
  replaceRclone,
  tellPid,
  writeHome,
} from "./helpers/fault.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/* Runs that are stopped, and runs beside each other. */

/** Lets a sync tell its pid, and be slow enough to be caught at work. */
async function slowSync(sandbox: Sandbox): Promise<string> {
  const pidFile = path.join(sandbox.root, "sync.pid");
  await replaceRclone(
    sandbox,
    `if [ "$1" = sync ]; then ${tellPid(pidFile)}; fi; exec "$REAL" "$@"`,
  );
  await writeHome(sandbox, "[rclone]\nbwlimit = 512k\ntransfers = 1\n");
  await fillSource(sandbox, { "a-small": 10, "b-big": 4_000_000 });
  return pidFile;
}

test("a second run while one is going on: 75, who it is, and how to try again", async (t) => {
  const sandbox = await makeSandbox(t);
  const started = path.join(sandbox.root, "started");
  const end = path.join(sandbox.root, "end");
  await fillSource(sandbox, { a: 1 });
  await writeHome(
    sandbox,
    `pre_command = ${tellPid(started)}; until [ -e ${end} ]; do sleep 0.05; done\n`,
  );
  const first = sandbox.startBackup(["home"]);
  await appears(started);
  const second = await sandbox.backup(["home"]);
  assert.equal(second.code, 75);
  assert.match(
    second.stderr,
    new RegExp(
      `^rclone-backup: skipped: another run holds the lock: rclone-backup home, process ${first.pid}, since \\S+Z\\nrclone-backup: hint: .*\\n$`,
    ),
  );
  const json = await sandbox.backup(["--json", "home"]);
  const document: unknown = JSON.parse(json.stdout);
  assert.ok(typeof document === "object" && document !== null && "outcome" in document);
  assert.equal(document.outcome, "skipped");
  // A verification does not read what a backup is changing.
  assert.equal((await sandbox.backup(["--verify", "all", "home"])).code, 75);
  await writeFile(end, "");
  assert.equal((await first.done).code, 0);
  assert.equal((await sandbox.backup(["home"])).code, 0);
});

for (const rclone of eitherRclone(import.meta.url)) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} during the sync: 130, rclone is gone, and the next run counts anew (${rclone.version})`, async (t) => {
      const sandbox = await makeSandbox(t, rclone);
      const pidFile = await slowSync(sandbox);
      const live = sandbox.startBackup(["home"]);
      const pid = Number(await appears(pidFile));
      live.kill(signal);
      live.kill(signal);
      const result = await live.done;
      assert.equal(result.code, 130, result.stderr);
      assert.match(result.stderr, /^rclone-backup: error: stopped by /);
      await gone(pid);
      const state = await readState(sandbox);
      assert.deepEqual([state?.trusted, state?.running], [false, false]);
      await writeHome(sandbox);
      const again = await sandbox.backup(["--json", "home"]);
      assert.equal(again.code, 0, again.stderr);
      await assertEqualEnds(sandbox);
      const trusted = await sandbox.backup(["--json", "home"]);
      assert.match(trusted.stdout, /"counted_from":"manifest"/);
      // A stop in the middle of a later run makes the next one count at the destination.
      await rm(pidFile);
      await fillSource(sandbox, { "b-big": 4_000_001 });
      await writeHome(sandbox, "[rclone]\nbwlimit = 512k\ntransfers = 1\n");
      const second = sandbox.startBackup(["home"]);
      await appears(pidFile);
      second.kill(signal);
      assert.equal((await second.done).code, 130);
      await writeHome(sandbox);
      const counted = await sandbox.backup(["--json", "home"]);
      assert.equal(counted.code, 0, counted.stderr);
      assert.match(counted.stdout, /"counted_from":"dry run"/);
      await assertEqualEnds(sandbox);
    });
  }

  test(`kill -9 during the sync: rclone dies too, and the next run counts anew (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fillSource(sandbox, { "a-small": 10 });
    await writeHome(sandbox);
    assert.equal((await sandbox.backup(["home"])).code, 0);
    const pidFile = await slowSync(sandbox);
    const live = sandbox.startBackup(["home"]);
    const pid = Number(await appears(pidFile));
    live.kill("SIGKILL");
    assert.equal((await live.done).signal, "SIGKILL");
    const state = await readState(sandbox);
    assert.equal(state?.running, true, "what was begun is on record");
    await writeHome(sandbox);
    const again = await sandbox.backup(["--json", "home"]);
    assert.equal(again.code, 0, again.stderr);
    await gone(pid);
    assert.match(again.stdout, /"counted_from":"dry run"/);
    await assertEqualEnds(sandbox);
    assert.equal((await readState(sandbox))?.running, false);
  });
}
