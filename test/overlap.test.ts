import assert from "node:assert/strict";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { lines, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { TestBackup } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// A backup that would eat itself or another one is refused as a wrong setting, before anything runs.

/** Further remotes in the sandbox's rclone configuration. */
async function addRemotes(backup: TestBackup, text: string): Promise<void> {
  await writeFile(backup.rcloneConf, text, { flag: "a" });
}

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("a destination inside the source, through whatever names"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, manyFiles(2));
    const inside = path.join(backup.source, "deep/backup");
    const link = path.join(backup.root, "link");
    await mkdir(inside, { recursive: true });
    await symlink(inside, link);
    await addRemotes(
      backup,
      `\n[al]\ntype = alias\nremote = ${inside}\n[cr]\ntype = crypt\nremote = al:sub\npassword = \n[co]\ntype = combine\nupstreams = "up=${inside}" other=/nowhere\n`,
    );
    for (const destination of [
      inside,
      `${inside}/../backup/x`,
      link,
      "al:",
      "al:x/y",
      "cr:",
      "cr:secret",
      "co:up/x",
      `:local:${inside}`,
      `:alias,remote="${link}":x`,
    ]) {
      await backup.configure({ default: { destination } });
      const { stderr } = await backup.expect(2, {
        stderr:
          /destination: expected a place outside the source, found it inside, at \/deep\/backup/,
      });
      assert.match(stderr, /hint: .*\[filters\]: - \/deep\/backup.*\/\*\*/, destination);
    }
  });

  test(
    titled("a destination inside the source is fine when the filters leave all of it out"),
    async (t) => {
      const backup = await makeBackup(t, rclone, {}, manyFiles(2));
      const inside = path.join(backup.source, "deep/backup");
      await mkdir(inside, { recursive: true });
      await addRemotes(backup, `\n[al]\ntype = alias\nremote = ${inside}\n`);
      const destination = "al:x";
      for (const filters of [
        ["- /deep/backup/*"],
        ["- /deep/backup/x/*"],
        ["- /other/**"],
        ["+ /deep/backup/**", "- /deep/**"],
        ["- *.bin"],
      ]) {
        await backup.configure({ default: { destination }, filters });
        await backup.expect(2, { stderr: /destination: expected a place outside the source/ });
      }
      for (const filters of [
        ["- /deep/backup/**"],
        ["- /deep/"],
        ["- backup/**"],
        ["+ /file*", "- *"],
      ]) {
        await backup.configure({ default: { destination }, filters });
        await backup.expect(0);
        await backup.expect(0);
        assert.deepEqual(await backup.stored(destination), ["file0", "file1"], filters.join());
        await rm(inside, { recursive: true });
        await rm(backup.state, { recursive: true });
      }
    },
  );

  test(titled("a source inside the destination, or equal to it"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, { "in/ner/a": "1", b: "2" });
    const link = path.join(backup.root, "link");
    await symlink(backup.source, link);
    await addRemotes(backup, `\n[al]\ntype = alias\nremote = ${backup.source}\n`);
    for (const [source, destination, message] of [
      [
        `${backup.source}/in/ner`,
        backup.source,
        /source: expected a place outside the destination/,
      ],
      [`${backup.source}/in/ner`, "al:in", /source: expected a place outside the destination/],
      ["al:in/ner", link, /source: expected a place outside the destination/],
      [backup.source, link, /destination: expected another place than the source/],
      [link, "al:", /destination: expected another place than the source/],
      ["al:in", `${backup.source}/in/`, /destination: expected another place than the source/],
    ] as const) {
      await backup.configure({ default: { source, destination } });
      await backup.expect(2, { stderr: message });
    }
    assert.deepEqual(await backup.stored(backup.source), ["b", "in/ner/a"]);
  });

  test(
    titled("two configurations of one directory with equal or nested destinations"),
    async (t) => {
      const backup = await makeBackup(
        t,
        rclone,
        { default: { destination: "secret:a/b" } },
        { x: "1" },
      );
      const store = path.join(backup.store, "secret");
      await addRemotes(backup, `\n[al]\ntype = alias\nremote = secret:a\n`);
      for (const [destination, found] of [
        ["secret:a/b", /is also the destination of .*other\.conf/],
        ["secret:a", /lies in or around the destination of .*other\.conf/],
        ["secret:", /lies in or around/],
        ["secret:a/b/c", /lies in or around/],
        ["al:b", /is also/],
        ["al:", /lies in or around/],
        [store, /lies in or around/],
      ] as const) {
        await backup.writeConfig(
          "other",
          `[default]\nsource = /srv\ndestination = ${destination}\n`,
        );
        await backup.expect(2, { stderr: found });
      }
      for (const destination of ["secret:a/bc", "secret:c", `${store}2`, "plain:a/b"]) {
        await backup.writeConfig(
          "other",
          `[default]\nsource = /srv\ndestination = ${destination}\n`,
        );
        await backup.expect(0);
      }
    },
  );
}

/** The section of a configuration that keeps old versions at a place. */
const dir = (place: string): string => `[history]\nkind = dir\ndir = ${place}\n`;

test("no place of old versions is shared, with whatever of another configuration", async (t) => {
  const history = { kind: "dir" };
  const backup = await makeBackup(
    t,
    oldRclone,
    { default: { destination: "secret:a/b" }, history },
    { x: "1" },
  );
  await addRemotes(backup, `\n[al]\ntype = alias\nremote = secret:a\n`);
  const beside = "[history]\nkind = dir\n";
  const cases = [
    ["secret:c", dir("secret:a/b.history"), /history: .* is also the directory of old versions/],
    ["secret:c", dir("secret:a/b.history/x"), /history: .* in or around the directory of old/],
    ["al:c", dir("al:b.history"), /history: .* is also the directory of old versions/],
    ["secret:c", dir("secret:a"), /lies in or around the directory of old versions/],
    ["secret:c", dir("secret:a/b"), /destination: .* is also the directory of old versions/],
    ["secret:c", dir("secret:a/b/x"), /destination: .* lies in or around the directory of old/],
    ["al:b.history", "", /history: .* is also the destination/],
    ["al:b.history/x", beside, /history: .* lies in or around the destination/],
  ] as const;
  const other = async (destination: string, more: string): Promise<void> => {
    const text = `[default]\nsource = /srv\ndestination = ${destination}\n${more}`;
    await backup.writeConfig("other", text);
  };
  for (const [destination, more, found] of cases) {
    await other(destination, more);
    const { stderr } = await backup.expect(2, { stderr: found });
    assert.match(stderr, /of its own.*other\.conf/s, more);
  }
  // Its old versions are kept only where it says so.
  await other("secret:c", dir("secret:a/b").replace("= dir\n", "= none\n"));
  await backup.expect(0);
  await other("secret:c", beside);
  await backup.expect(0);
  await backup.configure({ default: { destination: "secret:c.history" } });
  await backup.expect(2, { stderr: /destination: .* is also the directory of old versions/ });
});

test("a configuration elsewhere that ran before is compared, too", async (t) => {
  const backup = await makeBackup(
    t,
    oldRclone,
    { default: { destination: "secret:a" } },
    { x: "1" },
  );
  const other = path.join(backup.root, "elsewhere/other.conf");
  const text = (destination: string): string =>
    `[default]\nsource = ${backup.source}\ndestination = ${destination}\n`;
  await backup.write({ [other]: text("secret:b") });
  assert.equal((await backup.backup([other])).code, 0);
  await backup.expect(0);
  await backup.write({ [other]: text("secret:a/b") });
  await backup.expect(2, {
    stderr: /lies in or around the destination of .*elsewhere\/other\.conf/,
  });
  const back = await backup.backup([other]);
  assert.equal(back.code, 2, back.stderr);
  await rm(other);
  await backup.expect(0);
});

test("a remote means what the other configuration's own rclone configuration says", async (t) => {
  const backup = await makeBackup(t, oldRclone, { default: { destination: "r:data" } }, { x: "1" });
  await addRemotes(backup, `\n[r]\ntype = alias\nremote = ${backup.store}/one\n`);
  const conf = path.join(backup.root, "other-rclone.conf");
  const other = `[default]\nsource = /srv\ndestination = r:data\n[rclone]\nconfig = ${conf}\n`;
  await backup.writeConfig("other", other);
  await writeFile(conf, `[r]\ntype = alias\nremote = ${backup.store}/two\n`);
  await backup.expect(0);
  await writeFile(conf, `[r]\ntype = alias\nremote = ${backup.store}/one/data\n`);
  await backup.expect(2, { stderr: /lies in or around the destination of .*other\.conf/ });
});

test("a link to a configuration is no second configuration", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, { x: "1" });
  const link = path.join(backup.root, "linked.conf");
  await symlink(path.join(backup.config, "home.conf"), link);
  const result = await backup.backup([link]);
  assert.equal(result.code, 0, result.stderr);
  await backup.expect(0);
});

test("broken configurations beside it do not stop a backup", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { x: "1" });
  await backup.writeConfig("broken", "[defalt]\nx\n");
  await backup.writeConfig("unknown", "[default]\nsource = /srv\ndestination = nosuch:remote\n");
  await backup.writeConfig("common", "[filters]\n- *.tmp\n");
  await backup.expect(0);
  const { stderr } = await backup.run(["-v"]);
  assert.equal(lines(stderr).filter((line) => line.includes("not compared")).length, 3, stderr);
});

test("overlaps are refused before the pre_command and in a dry run", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { x: "1" });
  const mark = path.join(backup.root, "ran");
  await backup.configure({
    default: { destination: `${backup.source}/in`, pre_command: `touch ${mark}` },
  });
  await backup.expect(2);
  await backup.expect(2, { args: ["-n"] });
  assert.deepEqual(await backup.stored(backup.source), ["x"]);
  await assert.rejects(rm(mark));
});
