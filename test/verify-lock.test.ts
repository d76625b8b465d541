import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run } from "./helpers/command.ts";
import { oldRclone } from "./helpers/rclones.ts";
import { makeBacked } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

/** Two fifos: the test reads that a step was reached, and writes to let it go on. */
async function gate(backed: Backed): Promise<{
  hold: string;
  reached: () => Promise<unknown>;
  open: () => Promise<void>;
}> {
  const reached = path.join(backed.root, "reached");
  const open = path.join(backed.root, "open");
  assert.equal((await run("mkfifo", [reached, open])).code, 0);
  return {
    hold: `echo >"${reached}"; cat "${open}"`,
    reached: async () => readFile(reached),
    open: async () => writeFile(open, ""),
  };
}

test("two verifications run side by side, and a backup waits for neither: 75", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { a: "a", b: "b" } });
  const { hold, reached, open } = await gate(backed);
  await backed.double(`if [ "$1" = check ]; then ${hold}; fi\nexec "$REAL" "$@"\n`);
  const first = backed.startBackup(["--verify", "all", "b"]);
  await reached();
  const direct = `rclone.program=${oldRclone.path}`;
  const second = await backed.verify([`--set=${direct}`, "all"]);
  assert.deepEqual([second.code, second.doc.verified.files], [0, 2]);
  const backup = await backed.backup([`--set=${direct}`, "b"]);
  assert.equal(backup.code, 75, backup.stderr);
  assert.match(backup.stderr, /another run holds the lock: rclone-backup --verify b/);
  await open();
  const { code, stdout } = await first.done;
  assert.equal(code, 0);
  assert.match(stdout, /^verified 2 of 2 files/);
});

test("during a backup a verification is skipped: 75", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { a: "a" } });
  const { hold, reached, open } = await gate(backed);
  await backed.double(`if [ "$1" = sync ]; then ${hold}; fi\nexec "$REAL" "$@"\n`);
  const backup = backed.startBackup(["b"]);
  await reached();
  const { code, stdout, stderr } = await backed.backup(["--verify", "all", "b"]);
  assert.equal(code, 75);
  assert.equal(stdout, "");
  assert.match(stderr, /another run holds the lock: rclone-backup b/);
  await open();
  assert.equal((await backup.done).code, 0);
  assert.equal((await backed.verify(["all"])).code, 0);
});

test("a verification that is stopped ends with 130 and leaves nothing behind", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { a: "a" } });
  const { hold, reached } = await gate(backed);
  await backed.double(`if [ "$1" = check ]; then ${hold}; fi\nexec "$REAL" "$@"\n`);
  const verification = backed.startBackup(["--verify", "all", "b"]);
  await reached();
  verification.kill("SIGINT");
  assert.equal((await verification.done).code, 130);
  const left = await backed.runRclone(["lsf", "-R", path.join(backed.state, "backups")]);
  assert.doesNotMatch(left.stdout, /scratch/);
  await backed.double('exec "$REAL" "$@"\n');
  await backed.backUp();
});
