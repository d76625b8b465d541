import assert from "node:assert/strict";
import { test } from "node:test";
import { loadBackup } from "../lib/config/load.ts";
import { backup as runBackup } from "../lib/jobs/backup.ts";
import type { BackupResult } from "../lib/jobs/result.ts";
import { openSession } from "../lib/jobs/session.ts";
import { makeBackup } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { oldRclone } from "./helpers/rclones.ts";

// Runs under a clock of the test's own.

const quiet = (): void => {};

async function runAt(backup: TestBackup, time: string): Promise<BackupResult> {
  const { env } = backup;
  const { backup: loaded } = await loadBackup("home", { env, set: [] });
  const session = await openSession(
    loaded,
    {},
    {
      env,
      cwd: backup.root,
      now: () => new Date(time),
      isRoot: false,
      signal: new AbortController().signal,
      events: { warn: quiet, detail: quiet, progress: quiet },
    },
  );
  return runBackup(session, { dryRun: false, allowRefusedPlan: undefined });
}

test("run ids keep their order when the clock is set back", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const runs: string[] = [];
  for (const time of ["2026-03-01T02:00:00Z", "2019-01-01T00:00:00Z", "2026-03-01T02:00:00Z"]) {
    await backup.write({ [`made-${runs.length}`]: time });
    const result = await runAt(backup, time);
    assert.equal(result.outcome, "done", result.message);
    runs.push(result.run);
  }
  assert.deepEqual(runs, [
    "000001-20260301T020000Z",
    "000002-20190101T000000Z",
    "000003-20260301T020000Z",
  ]);
  assert.deepEqual(runs.toSorted(), runs);
  const { lastNumber, good } = await backup.record();
  assert.deepEqual([lastNumber, good?.run], [3, runs[2]]);
  assert.deepEqual(await backup.manifest(), ["a", "made-0", "made-1", "made-2"]);
});

test("files from the future are backed up and stay unchanged", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await runAt(backup, "2001-01-01T00:00:00Z");
  const again = await runAt(backup, "2001-01-02T00:00:00Z");
  assert.deepEqual(
    [again.outcome, again.transferred.files, again.plan?.from],
    ["done", 0, "manifest"],
  );
});
