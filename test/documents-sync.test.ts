import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
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
