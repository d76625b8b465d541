import assert from "node:assert/strict";
import { closeSync, readFileSync, readSync } from "node:fs";
import { mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { openToRead } from "../lib/process/quietread.ts";

function read(file: string): string {
  const bytes = Buffer.alloc(100);
  const descriptor = openToRead(file);
  try {
    return bytes.toString("latin1", 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

test("reading a file of one's own leaves its time of access, and that of others is read, too", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-quietread-"));
  t.after(async () => rm(directory, { recursive: true }));
  const own = path.join(directory, "file");
  await writeFile(own, "text");
  // Older than its content: any other reading would be written down.
  await utimes(own, new Date(1e12), new Date());
  assert.equal(read(own), "text");
  assert.equal((await stat(own)).atimeMs, 1e12);
  assert.throws(() => read(path.join(directory, "none")), { code: "ENOENT" });

  const others = "/etc/passwd";
  const content = readFileSync(others, "latin1").slice(0, 100);
  const { geteuid, seteuid } = process;
  const isRoot = geteuid?.() === 0;
  if (isRoot) seteuid?.(65_534);
  try {
    assert.equal(read(others), content);
  } finally {
    if (isRoot) seteuid?.(0);
  }
});
