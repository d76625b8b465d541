import assert from "node:assert/strict";
import { chmod, symlink } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { loadAll } from "../lib/config/all.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

/* Which files of a configuration directory are backups. */

const remotes = "[secret]\ntype = crypt\nremote = /mnt/backup\npassword = x\n";

/** The names of the backups, those that can't be loaded with a question mark. */
async function backupsOf(
  t: TestContext,
  files: Readonly<Record<string, string | Buffer>>,
  prepare: (dir: string) => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const { dir, write } = await makeConfigDir(t);
  await write(files);
  await prepare(dir);
  const { configs } = await loadAll([], { configDir: dir, env: {}, set: [] });
  return configs.map(({ name, problem }) => (problem === undefined ? name : `${name}?`));
}

test("rclone's configuration is no backup where a backup names it, whatever it is called", async (t) => {
  const own = "[rclone]\nconfig = our remotes.conf\n";
  const files = { "a.conf": minimal + own, "our remotes.conf": remotes };
  assert.deepEqual(await backupsOf(t, files), ["a"]);
  // Also where who names it has a mistake of its own, or extends who does, or says it by another way.
  assert.deepEqual(await backupsOf(t, { ...files, "a.conf": `${minimal}x = 1\n${own}` }), ["a?"]);
  const base = { "base.conf": own, "our remotes.conf": remotes };
  const child = { "a.conf": "[default]\nextends = base\nsource = /s\ndestination = r:d\n" };
  assert.deepEqual(await backupsOf(t, { ...base, ...child }), ["a"]);
  assert.deepEqual(
    await backupsOf(
      t,
      { "a.conf": `${minimal}[rclone]\nconfig = link/remotes.conf\n`, "remotes.conf": remotes },
      async (dir) => symlink(dir, path.join(dir, "link")),
    ),
    ["a"],
  );
});

async function lock(dir: string): Promise<void> {
  await chmod(path.join(dir, "rclone.conf"), 0);
}

test("an rclone.conf that nobody names is none, unless it is meant as a backup", async (t) => {
  for (const text of [
    remotes,
    "",
    "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAA\n",
  ])
    assert.deepEqual(await backupsOf(t, { "a.conf": minimal, "rclone.conf": text }), ["a"], text);
  assert.deepEqual(await backupsOf(t, { "rclone.conf": remotes }), []);
  assert.deepEqual(await backupsOf(t, { "rclone.conf": minimal }), ["rclone"]);
  const half = "[default]\nsource = /s\ndestinatoin = r:d\n";
  assert.deepEqual(await backupsOf(t, { "rclone.conf": half }), ["rclone?"]);
  assert.deepEqual(await backupsOf(t, { "rclone.conf": "[default]\nsource = ${UNSET_7F}\n" }), [
    "rclone?",
  ]);
  assert.deepEqual(await backupsOf(t, { "a.conf": minimal, "rclone.conf": remotes }, lock), ["a"]);
});

test("what else can't be loaded is told: a remote's file that nobody names, an incomplete one that nobody extends", async (t) => {
  assert.deepEqual(
    await backupsOf(t, {
      "a.conf": minimal,
      "remotes.conf": remotes,
      "alone.conf": "[default]\nsource = /s\n",
      "base.conf": "[default]\nsource = /s\n",
      "child.conf": "[default]\nextends = base.conf\ndestination = r:c\n",
    }),
    ["a", "alone?", "child", "remotes?"],
  );
});

test("a directory with nothing but rclone's configuration doesn't hide the next one", async (t) => {
  const { dir, write } = await makeConfigDir(t);
  await write({ "home/.config/rclone-backups/rclone.conf": remotes });
  const options = { env: { HOME: `${dir}/home` }, set: [] };
  const before = await loadAll([], options);
  assert.ok(!before.configs.some(({ file }) => file.startsWith(dir)));
});
