import assert from "node:assert/strict";
import { chmod, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { callsOf, makeBackedUp, makeBackup, manyFiles } from "./helpers/backups.ts";
import type { Settings, TestBackup } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// The manifest says what the destination holds. Where it can't be trusted to, the next run counts
// once by a dry run, and then trusts again.

const four = manyFiles(4);

/** How the next run counts, by its report and by what rclone was asked for. */
async function countedFrom(backup: TestBackup, code = 0): Promise<string | undefined> {
  await backup.trace();
  await backup.calls();
  const told = await backup.report([], { code });
  const dryRuns = callsOf(await backup.calls(), "sync", true).length;
  assert.equal(dryRuns, told.plan?.counted_from === "dry run" ? 1 : 0);
  return told.plan?.counted_from;
}

for (const rclone of eitherRclone(import.meta.url)) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("new filters, links or flags are counted once and then trusted"), async (t) => {
    const backup = await makeBackup(t, rclone, {}, four);
    const settings: Settings[] = [
      { filters: ["- *.tmp"] },
      { filters: ["- *.tmp"], default: { copy_links: "yes" } },
      { rclone: { flags: "--retries=2" } },
      {},
    ];
    await backup.expect(0);
    assert.equal(await countedFrom(backup), "manifest");
    for (const changed of settings) {
      await backup.configure(changed);
      assert.equal(await countedFrom(backup), "dry run", JSON.stringify(changed));
      assert.equal(await countedFrom(backup), "manifest");
    }
    // These change nothing about what belongs in the destination.
    await backup.configure({
      rclone: { transfers: "2", bwlimit: "50M" },
      guards: { max_delete: "9" },
    });
    assert.equal(await countedFrom(backup), "manifest");
  });

  test(titled("another source under the same name is counted"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, four);
    const other = path.join(backup.root, "other");
    await backup.write(
      Object.fromEntries(
        Object.entries(four).map(([name, text]) => [path.join(other, name), text]),
      ),
    );
    await backup.configure({ default: { source: other } });
    assert.equal(await countedFrom(backup), "dry run");
  });

  test(
    titled("a stray file at the destination is recounted and removed in the same run"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, { ...four, gone: "x" });
      await stray(backup, "stray");
      await backup.remove("gone");
      await backup.write({ fresh: "new" });
      await backup.trace();
      const told = await backup.report();
      assert.deepEqual([told.result, told.deleted, told.transferred.files], ["success", 2, 1]);
      const syncs = callsOf(await backup.calls(), "sync");
      assert.equal(syncs.length, 2, "rclone stopped at the planned number, then went on");
      const expected = ["file0", "file1", "file2", "file3", "fresh"];
      assert.deepEqual(await backup.stored(), expected);
      assert.deepEqual(await backup.manifest(), expected);
      assert.equal(await countedFrom(backup), "manifest");
    },
  );

  test(titled("too many stray files are judged by max_delete"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, four);
    for (let at = 0; at < 6; at += 1) await stray(backup, `stray${at}`);
    const first = await backup.run();
    assert.notEqual(first.code, 0, "ten files at the destination, six to go");
    assert.equal((await backup.stored()).length, 10, "none of them is deleted");
    await backup.expect(5, { stderr: /max_delete.*found 6 files of 10/ });
    const id = (await backup.record()).refused?.id ?? "";
    await backup.expect(0, { args: ["--allow-refused-plan", id] });
    assert.deepEqual(await backup.stored(), Object.keys(four));
    assert.deepEqual(await backup.manifest(), Object.keys(four));
  });

  test(
    titled("a stored file that was removed behind our back comes back, and the manifest is true"),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, { ...four, gone: "x" });
      for (const name of ["file1", "gone"])
        assert.equal((await backup.runRclone(["deletefile", `secret:${name}`])).code, 0);
      await backup.remove("gone");
      await backup.expect(0);
      assert.deepEqual(await backup.stored(), Object.keys(four));
      assert.deepEqual(
        await backup.manifest(),
        Object.keys(four),
        "no entry of what is gone stays",
      );
      const told = await backup.report();
      assert.equal(told.plan?.deleted.files, 0);
      assert.equal(told.plan?.held.files, 4);
    },
  );

  test(titled("a file that fails keeps its old entry, and the next run counts"), async (t) => {
    const backup = await makeBackedUp(t, rclone, {}, four);
    const before = await entryOf(backup, "file1");
    await backup.write({ file1: "not readable", file2: "changed" });
    await refuseToRead(backup, "file1");
    await backup.expect(3, { unprivileged: true });
    assert.deepEqual(await entryOf(backup, "file1"), before);
    assert.match((await entryOf(backup, "file2")) ?? "", /^file2\t7\t/);
    assert.equal(await backup.content("file1"), four["file1"]);
    assert.equal(await backup.content("file2"), "changed");
    await backup.remove("file1");
    await backup.write({ file1: "readable again" });
    assert.equal(await countedFrom(backup), "dry run");
    assert.equal(await countedFrom(backup), "manifest");
    assert.equal(await backup.content("file1"), "readable again");
  });

  test(
    titled(
      "a manifest that is damaged, cut or of another kind is set aside, told and counted anew",
    ),
    async (t) => {
      const backup = await makeBackedUp(t, rclone, {}, four);
      const file = path.join(await backup.stateDirectory(), "manifest.gz");
      const good = await readFile(file);
      const broken = {
        cut: good.subarray(0, good.length - 20),
        garbage: Buffer.from("not gzip at all"),
        empty: Buffer.alloc(0),
        flipped: Buffer.concat([good.subarray(0, 60), Buffer.from([0xff]), good.subarray(61)]),
      };
      for (const [how, bytes] of Object.entries(broken)) {
        await writeFile(file, bytes);
        await backup.write({ [how]: "so that the manifest is needed" });
        const told = await backup.run(["--json"]);
        assert.equal(told.code, 0, told.stderr);
        assert.match(told.stderr, /warning: manifest: .*manifest\.gz.*is kept as .*damaged/, how);
        assert.match(told.stdout, /"counted_from":"dry run"/, how);
        assert.deepEqual(await readFile(`${file}.damaged`), bytes);
        assert.deepEqual(await backup.manifest(), await backup.stored());
      }
      await rm(file);
      assert.equal(await countedFrom(backup), "dry run");
    },
  );
}

test("a damaged manifest stays where it is in a dry run", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, four);
  const file = path.join(await backup.stateDirectory(), "manifest.gz");
  await writeFile(file, "damaged");
  const { stderr } = await backup.run(["-n"]);
  assert.match(stderr, /warning: manifest: /);
  assert.equal(await readFile(file, "utf8"), "damaged");
});

test("a state that is damaged is set aside, told, and guards as before", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, four);
  const file = path.join(await backup.stateDirectory(), "state.json");
  const good = await readFile(file, "utf8");
  for (const text of ["{", "", '{"version":1}', good.replace('"version": 1', '"version": 2')]) {
    await writeFile(file, text);
    const { stderr } = await backup.run();
    assert.match(stderr, /warning: state: expected JSON, found a damaged file; it is kept as/);
    assert.equal(await readFile(`${file}.damaged`, "utf8"), text);
    assert.equal(await countedFrom(backup), "manifest");
  }
  await writeFile(file, "{");
  await rm(path.join(backup.store, "secret"), { recursive: true });
  await backup.expect(5, { stderr: /destination: expected the 4 files/ });
});

test("a first backup onto an existing copy counts it and uploads nothing again", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, four);
  await rm(backup.state, { recursive: true });
  const told = await backup.report();
  assert.equal(told.plan?.counted_from, "dry run");
  assert.equal(told.transferred.files, 0);
  assert.deepEqual(await backup.manifest(), Object.keys(four));
});

test("a failed pre_command leaves the manifest trusted", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, four);
  await backup.configure({ default: { pre_command: "false" } });
  await backup.expect(1);
  await backup.configure({});
  assert.equal(await countedFrom(backup), "manifest");
});

test("links that copy_links follows belong in the manifest", async (t) => {
  const backup = await makeBackup(t, oldRclone, { default: { copy_links: "yes" } }, four);
  await symlink("file0", path.join(backup.source, "link"));
  await backup.expect(0);
  assert.deepEqual(await backup.stored(), [...Object.keys(four), "link"]);
  assert.deepEqual(await backup.manifest(), [...Object.keys(four), "link"]);
  assert.equal(await countedFrom(backup), "manifest");
});

async function stray(backup: TestBackup, name: string): Promise<void> {
  const result = await backup.runRclone(["rcat", `secret:${name}`], { input: "stray" });
  assert.equal(result.code, 0, result.stderr);
}

async function entryOf(backup: TestBackup, name: string): Promise<string | undefined> {
  const bytes = await readFile(path.join(await backup.stateDirectory(), "manifest.gz"));
  const all = gunzipSync(bytes).toString().split("\n");
  return all.find((line) => line.startsWith(`${name}\t`));
}

async function refuseToRead(backup: TestBackup, name: string): Promise<void> {
  await chmod(path.join(backup.source, name), 0o000);
}
