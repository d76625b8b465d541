import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { commands, type Commands } from "./helpers/historyworld.ts";
import { eitherRclone } from "./helpers/rclones.ts";

/** A backup on dated directories in which `a` was a file, and `a/b` is there now; and when it was so. */
async function turned(t: TestContext): Promise<{ world: Commands; before: string }> {
  const [rclone] = eitherRclone(import.meta.url);
  const given = { destination: "plain:data", env: {}, settings: "[history]\nkind = dir\n" };
  const world = await commands(t, rclone === undefined ? given : { ...given, rclone });
  const { write, remove, expect } = world;
  const backup = async (): Promise<unknown> => expect(0, "rclone-backup", ["home"]);
  for (const name of ["a", "k", "y", "z"]) await write(name, name);
  await backup();
  const before = new Date(Date.now() + 1).toISOString();
  await remove("a");
  await remove("z");
  await backup();
  await write("a/b", "below");
  await write("a/deeper/c", "below");
  await remove("y");
  await backup();
  return { world, before };
}

async function names({ listed }: Commands): Promise<string[]> {
  return (await listed()).map((line) => line.split(";")[0] ?? "");
}

test("a directory in the place of a deleted file holds up that file alone", async (t) => {
  const { world } = await turned(t);
  // One that holds no file goes.
  await mkdir(path.join(world.box.store, "plain", "data", "y", "empty"), { recursive: true });
  const args = ["--yes", "--deleted-since", "1 hour ago", "home"];
  const { stdout, stderr } = await world.expect(3, "recover", args);
  assert.match(stdout, /done for 2 of 3 files/);
  assert.match(stderr, /\ba: expected to copy it, found: /);
  assert.deepEqual(await names(world), ["a/b", "a/deeper/c", "k", "y", "z"]);
  await world.expect(0, "rclone-backup", ["home"]);
});

test("a roll-back makes a file of what is a directory now, and the reverse", async (t) => {
  const { world, before } = await turned(t);
  const now = new Date(Date.now() + 1).toISOString();
  await world.expect(0, "recover", ["--yes", "--as-of", before, "home"]);
  assert.deepEqual(await names(world), ["a", "k", "y", "z"]);
  await world.expect(0, "recover", ["--resume", "home"]);
  await world.expect(0, "recover", ["--yes", "--as-of", now, "home"]);
  assert.deepEqual(await names(world), ["a/b", "a/deeper/c", "k"]);
});
