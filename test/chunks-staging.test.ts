import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Staging } from "../lib/chunks/staging.ts";
import { Failure } from "../lib/errors.ts";

/* Files on their way into a set: written in pieces, and on the disk before flush() is done. */

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("pieces come one after another, whether or not each was waited for", async (t) => {
  const directory = await makeDirectory(t);
  const staging = new Staging(directory);
  const files = Array.from({ length: 30 }, () => staging.begin());
  await Promise.all(
    files.map(async (file, at) => {
      const pieces = Array.from({ length: at }, (_, piece) => `${file.name} ${piece}\n`);
      await Promise.all(pieces.map(async (piece) => file.append(Buffer.from(piece))));
      file.finish();
    }),
  );
  await staging.stage(Buffer.from("named"), "manifest");
  await staging.flush();
  assert.deepEqual(await readdir(directory), [...files.map(({ name }) => name), "manifest"]);
  for (const [at, { name }] of files.entries()) {
    const text = await readFile(path.join(directory, name), "utf8");
    assert.equal(text, Array.from({ length: at }, (_, piece) => `${name} ${piece}\n`).join(""));
  }
});

test("what is dropped is gone", async (t) => {
  const directory = await makeDirectory(t);
  const staging = new Staging(directory);
  const dropped = staging.begin();
  const append = dropped.append(Buffer.from("not wanted"));
  dropped.drop();
  await append;
  staging.begin().drop();
  const kept = await staging.stage(Buffer.from("wanted"));
  await staging.flush();
  assert.deepEqual(await readdir(directory), [kept]);
});

test("what can't be written is told with its path, and nothing is staged after it", async (t) => {
  const directory = path.join(await makeDirectory(t), "gone");
  const staging = new Staging(directory);
  const told = (error: unknown): boolean =>
    error instanceof Failure && error.message === `cannot write ${directory}/00000000 (ENOENT)`;
  await assert.rejects(staging.stage(Buffer.from("lost")), told);
  await assert.rejects(staging.flush(), told);
  await assert.rejects(staging.stage(Buffer.from("more")), told);
  await staging.settle();
});
