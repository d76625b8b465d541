import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { backupName, configDirs, findConfig, siblingConfigs } from "../lib/config/find.ts";
import { peekDestinations } from "../lib/config/peek.ts";
import { failureOf, makeConfigDir, minimal } from "./helpers/config-dir.ts";

/** A name that no machine has in /etc/rclone-backups. */
const name = "only-in-this-test-7f3a";

test("a bare name is looked up in the directories, in their order", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const options = {
    configDir: `${dir}/one`,
    env: { RCLONE_BACKUPS_DIR: `${dir}/two`, HOME: `${dir}/home` },
  };
  assert.deepEqual(configDirs(options), [
    `${dir}/one`,
    `${dir}/two`,
    "/etc/rclone-backups",
    `${dir}/home/.config/rclone-backups`,
  ]);
  assert.deepEqual(configDirs({ env: { RCLONE_BACKUPS_DIR: "" } }), ["/etc/rclone-backups"]);
  for (const place of ["home/.config/rclone-backups", "two", "one"]) {
    const file = await write({ [`${place}/${name}.conf`]: minimal });
    assert.equal(await findConfig(name, options), file);
    assert.equal(await findConfig(`${name}.conf`, options), file);
  }
});

test("a path is taken as it is", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const file = await write({ "a b": minimal, [`${name}.conf`]: minimal });
  assert.equal(await findConfig(file, { configDir: dir, env: {} }), file);
  assert.equal(await findConfig(`./${name}`, { configDir: dir, env: {} }), path.resolve(name));
  assert.equal(backupName(file), "a b");
  assert.equal(backupName("/x/web.example.conf"), "web.example");
});

test("a name that isn't found: where it was looked for, and what is near", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const options = { configDir: dir, env: { HOME: "/nonexistent" } };
  await write({ [`${name}.conf`]: minimal });
  const near = await failureOf(findConfig(name.replace("7", "8"), options));
  assert.match(
    near.message,
    /: expected a backup's name or the path of its configuration, found none at /,
  );
  for (const place of [dir, "/etc/rclone-backups", "/nonexistent/.config/rclone-backups"]) {
    assert.ok(near.message.includes(`${place}/only-in-this-test-8f3a.conf`), near.message);
  }
  assert.equal(near.hint, `did you mean ${name}?`);
  assert.match(
    (await failureOf(findConfig("zz", options))).hint ?? "",
    new RegExp(`^known names: .*${name}`),
  );
  assert.equal(
    (await failureOf(findConfig("package.json", options))).hint,
    "for the file in this directory, write ./package.json",
  );
  await failureOf(findConfig("", options));
});

test("siblings are the other visible configurations of the directory", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const file = await write({
    "b.conf": "",
    "a.conf": "",
    "c.conf": "",
    ".d.conf": "",
    "e.conf~": "",
    "f.txt": "",
  });
  await mkdir(path.join(dir, "g.conf"));
  assert.deepEqual(await siblingConfigs(file), [`${dir}/a.conf`, `${dir}/c.conf`]);
  assert.deepEqual(await siblingConfigs("/nonexistent/x.conf"), []);
});

test("peeking takes source and destination from whatever can be read", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  await write({
    "good.conf":
      "[default]\nextends = parent\ndestination = ${WHERE}:x\n[history]\nkind = dir\ndir = ${WHERE}:old\n",
    "parent.conf": "[default]\nsource = /p\npre_command = x\n",
    "wrong.conf": `${minimal}[nonsense]\nx\n[rclone]\ntransfers = ? \${UNSET}\n`,
    "unset.conf": "[default]\nsource = /a\ndestination = ${UNSET}\n[rclone]\nconfig = ${OTHER}\n",
    "broken.conf": "source = /a\n",
    "binary.conf": Buffer.from([0xff, 0]),
  });
  const files = ["good", "parent", "wrong", "unset", "broken", "binary", "none"].map(
    (each) => `${dir}/${each}.conf`,
  );
  const env = { WHERE: "r", RCLONE_BACKUPS_DEFAULT_DESTINATION: "/not-for-others" };
  const [good, parent, wrong, unset, broken, binary, none] = await peekDestinations(files, {
    configDir: dir,
    env,
  });
  assert.deepEqual(good, {
    file: files[0],
    name: "good",
    source: "/p",
    destination: "r:x",
    dated: { dir: "r:old" },
    rcloneConfig: undefined,
  });
  assert.deepEqual(parent, { file: files[1], reason: "it has no destination" });
  assert.deepEqual(wrong, {
    file: files[2],
    name: "wrong",
    source: "/src",
    destination: "r:dst",
    dated: undefined,
    rcloneConfig: undefined,
  });
  const reasons = [unset, broken, binary, none].map((each) =>
    each !== undefined && "reason" in each ? each.reason : each,
  );
  assert.deepEqual(reasons, [
    `${files[3]}:3:15: expected the environment variable UNSET to be set, found it unset`,
    `${files[4]}:1:1: expected a [section] before the first key, found "source"`,
    `${files[5]}:1:2: expected a text file, found a NUL byte`,
    `${files[6]}: expected a configuration file, found none`,
  ]);
});
