import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { orderName } from "../lib/documents/place.ts";
import { storedFiles } from "../lib/documents/storedfiles.ts";

const directories = ["000", "001", "00a", "00b", "7ff", "abc", "fff"];
const name = (shard: string): string => `${shard}/o-${shard.repeat(8)}.bson`;

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-shares-"));
  t.after(async () => rm(directory, { recursive: true }));
  return directory;
}

async function make(directory: string, shards: readonly string[]): Promise<void> {
  for (const shard of shards) {
    await mkdir(path.join(directory, shard));
    await writeFile(path.join(directory, name(shard)), "");
  }
}

test("shares have every file once, though a directory comes in between", async (t) => {
  const directory = await newDirectory(t);
  await make(directory, directories);
  const source = { directory, capped: false };
  const first = [...storedFiles({ ...source, share: { index: 0, of: 2 } })];
  await make(directory, ["005"]);
  const second = [...storedFiles({ ...source, share: { index: 1, of: 2 } })];
  assert.ok(first.length > 0);
  assert.deepEqual([...first, ...second].toSorted(), [...directories, "005"].map(name).toSorted());
});

test("what is in order comes once and first", async (t) => {
  const directory = await newDirectory(t);
  await make(directory, directories);
  const ordered = [name("fff"), name("000")];
  await writeFile(path.join(directory, orderName), ordered.map((each) => `${each}\n`).join(""));
  const source = { directory, capped: true };
  assert.deepEqual([...storedFiles(source)].slice(0, 2), ordered);
  const shares = [0, 1].flatMap((index) => [
    ...storedFiles({ ...source, share: { index, of: 2 } }),
  ]);
  assert.deepEqual(shares.slice(0, 2), ordered);
  assert.deepEqual(shares.toSorted(), directories.map(name).toSorted());
});
