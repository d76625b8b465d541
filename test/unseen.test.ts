import assert from "node:assert/strict";
import { appendFile, chmod, readFile, rm, utimes } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { callsOf, makeBackup, type Settings, type TestBackup } from "./helpers/backups.ts";
import { suite } from "./helpers/init.ts";
import { eitherRclone, rclones, type Rclone } from "./helpers/rclones.ts";
import { serveWebdav } from "./helpers/webdav.ts";

// Where rclone can compare neither times nor checksums, it takes a file that was rewritten with as many bytes for
// equal, and says nothing. The manifest knows better.

const before = { f1: "old one", f2: "old two", "sub/t h r e e": "old thr", same: "as ever" };

/** A backup to `blind:data`, encrypted, on a storage that keeps no times. */
async function makeBlind(
  t: TestContext,
  rclone: Rclone,
  settings: Settings = {},
): Promise<TestBackup> {
  const backup = await makeBackup(t, rclone, {}, before);
  const password = /password = (\S+)/.exec(await readFile(backup.rcloneConf, "utf8"))?.[1] ?? "";
  await appendFile(
    backup.rcloneConf,
    `\n[timeless]\ntype = local\nno_set_modtime = true\n\n[blind]\ntype = crypt\nremote = timeless:${path.join(backup.store, "blind")}\npassword = ${password}\n`,
  );
  await backup.configure(at("blind:data", settings));
  return backup;
}

function at(destination: string, settings: Settings = {}): Settings {
  return { ...settings, default: { destination, ...settings.default } };
}

let seconds = Date.now() / 1000 - 86_400;

/** Writes files with times that no others have: the older rclone tells them in seconds. */
async function rewrite(backup: TestBackup, files: Readonly<Record<string, string>>): Promise<void> {
  await backup.write(files);
  seconds += 2;
  for (const name of Object.keys(files))
    await utimes(path.join(backup.source, name), seconds, seconds);
}

async function contentAt(backup: TestBackup, location: string): Promise<string> {
  const { code, stdout, stderr } = await backup.runRclone(["cat", location]);
  assert.equal(code, 0, stderr);
  return stdout;
}

for (const rclone of rclones) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("on WebDAV, a file rewritten with as many bytes is stored, once"), async (t) => {
    const backup = await makeBackup(t, rclone, at("davcrypt:"), before);
    await serveWebdav(backup);
    await backup.expect(0);
    await rewrite(backup, { f1: "new one", "sub/t h r e e": "new thr" });
    const told = await backup.report();
    assert.deepEqual(
      [told.result, told.plan?.changed.files, told.transferred.files],
      ["success", 2, 2],
    );
    assert.equal(await contentAt(backup, "davcrypt:f1"), "new one");
    assert.equal(await contentAt(backup, "davcrypt:sub/t h r e e"), "new thr");
    await backup.trace();
    const again = await backup.report();
    assert.deepEqual([again.plan?.changed.files, again.transferred.files], [0, 0]);
    assert.deepEqual(callsOf(await backup.calls(), "copy"), []);
  });

  test(titled("what it replaces is kept in the run's dated directory"), async (t) => {
    const backup = await makeBlind(t, rclone, { history: { kind: "dir" } });
    await backup.expect(0);
    await rewrite(backup, { f1: "new one", f2: "longer than it was", added: "new" });
    const told = await backup.report();
    assert.equal(told.transferred.files, 3);
    assert.equal(await contentAt(backup, "blind:data/f1"), "new one");
    const kept = (await backup.stored("blind:data.history")).filter((file) =>
      /^000002-.*\/f[12]$/.test(file),
    );
    assert.deepEqual(
      kept.map((file) => path.basename(file)),
      ["f1", "f2"],
    );
    assert.equal(await contentAt(backup, `blind:data.history/${kept[0] ?? ""}`), "old one");
  });
}

for (const rclone of eitherRclone(import.meta.url)) {
  test("what can't be uploaded stays planned until it is", async (t) => {
    const backup = await makeBlind(t, rclone);
    await backup.expect(0);
    await rewrite(backup, { f1: "new one" });
    await backup.trace('[ "$1" != copy ] || { echo "Failed to copy: no" >&2; exit 1; }');
    await backup.expect(1, { stderr: /expected a sync without errors, found exit code 1/ });
    await backup.trace();
    // The manifest isn't trusted now, and a dry run sees no change either.
    const planned = await backup.report(["-n"]);
    assert.deepEqual([planned.plan?.counted_from, planned.plan?.changed.files], ["dry run", 1]);
    await backup.calls();
    const told = await backup.report();
    assert.deepEqual([told.transferred.files, told.warnings], [1, []]);
    assert.equal(callsOf(await backup.calls(), "copy").length, 1);
    assert.equal(await contentAt(backup, "blind:data/f1"), "new one");
  });

  test("a file that can't be read keeps no other from being stored", async (t) => {
    const backup = await makeBlind(t, rclone);
    await backup.expect(0);
    for (const [run, content] of ["new one", "newer 1"].entries()) {
      await rewrite(backup, { f1: content });
      if (run === 0) await backup.write({ f2: "not readable" });
      await chmod(path.join(backup.source, "f2"), 0o000);
      await backup.expect(3, { unprivileged: true, stderr: /^ {2}f2: /m });
      assert.equal(await contentAt(backup, "blind:data/f1"), content);
    }
  });

  test("max_change counts what only the manifest knows", async (t) => {
    const backup = await makeBlind(t, rclone);
    await backup.expect(0);
    await backup.configure(at("blind:data", { guards: { max_change: "1" }, filters: ["- *.x"] }));
    await rewrite(backup, { f1: "new one", f2: "new two" });
    await backup.expect(5, { stderr: /max_change/ });
    assert.equal(await contentAt(backup, "blind:data/f1"), "old one");
  });

  test("without a manifest, files of the same size are told", async (t) => {
    const backup = await makeBlind(t, rclone);
    await backup.expect(0);
    await rm(backup.state, { recursive: true });
    const told = await backup.report();
    assert.deepEqual([told.result, told.transferred.files], ["warning", 0]);
    assert.match(told.warnings.join(), /found 4 files where none are kept.*--verify all home/);
    assert.deepEqual((await backup.report()).warnings, []);
  });

  test("where times are kept, a file that came after the listing is not uploaded again", async (t) => {
    const backup = await makeBackup(t, rclone, {}, before);
    const late = path.join(backup.source, "late");
    await backup.trace(`[ "$1" != sync ] || [ -e '${late}' ] || echo late >'${late}'`);
    await backup.expect(0);
    await backup.trace();
    assert.equal((await backup.report()).transferred.files, 0);
    assert.deepEqual(callsOf(await backup.calls(), "copy"), []);
    assert.equal(await backup.content("late"), "late\n");
  });

  test("--checksum is refused with crypt, and its word is taken where there are checksums", async (t) => {
    const blind = { rclone: { flags: "--checksum" } };
    const backup = await makeBackup(t, rclone, blind, before);
    await backup.expect(2, { stderr: /rclone\.flags: .*found --checksum with crypt/ });
    const { code, stdout } = await suite(backup, ["validate"]);
    assert.equal(code, 2);
    assert.match(stdout, /found --checksum with crypt/);

    await backup.configure(at("plain:", blind));
    await backup.expect(0);
    const later = new Date(Date.now() + 10_000);
    await utimes(path.join(backup.source, "f1"), later, later);
    await rewrite(backup, { f2: "new two" });
    const told = await backup.report();
    assert.deepEqual([told.plan?.changed.files, told.transferred.files], [2, 1]);
    assert.equal(await contentAt(backup, "plain:f2"), "new two");
  });

  test("validate tells of a destination that keeps no times", async (t) => {
    const backup = await makeBlind(t, rclone, { history: { kind: "none" } });
    const { code, stdout } = await suite(backup, ["validate"]);
    assert.equal(code, 0);
    assert.match(stdout, /expected a storage that keeps times of modification, found one/);
  });
}
