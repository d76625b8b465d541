import assert from "node:assert/strict";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { callsOf, makeBackup } from "./helpers/backups.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import {
  evolve,
  generator,
  nastyNames,
  readTree,
  restoreJson,
  runRestore,
  writeAt,
  type Tree,
} from "./helpers/restoring.ts";
import { serveWebdav } from "./helpers/webdav.ts";

for (const rclone of rclones) {
  test(`dated directories: any night comes back, many files at once (${rclone.version})`, async (t) => {
    const box = await makeBackup(t, rclone, {
      default: { destination: "secret:data" },
      guards: { max_delete: "off" },
      history: { kind: "dir" },
    });
    const seed = 21;
    const random = generator(seed);
    const past: { time: number; tree: Tree }[] = [];
    // A name that looks like a version of another has undecryptable old versions elsewhere, not here.
    const names = [...nastyNames, "dir/a", "dir/b", "dir/deep/c"];
    for (let step = 0; step < 5; step += 1) {
      await evolve(box.source, random, step, names);
      await box.expect(0);
      past.push({ time: Date.now(), tree: await readTree(box.source) });
    }
    for (const [step, { time, tree }] of past.entries()) {
      const out = path.join(box.root, `out${step}`);
      const asOf = new Date(time).toISOString();
      if (step === 1) await box.trace();
      const done = await restoreJson(box, ["home", "--as-of", asOf, "--to", out]);
      assert.deepEqual(await readTree(out), tree, `seed ${seed}, step ${step}`);
      assert.deepEqual([done.failure_count, done.uncertain], [0, 0]);
      if (step !== 1) continue;
      // One rclone for each directory that holds any of them, none for single files.
      const calls = await box.calls();
      assert.equal(callsOf(calls, "cat").length, 0);
      assert.ok(callsOf(calls, "copy").length <= 6, `${callsOf(calls, "copy").length} copies`);
    }
    const all = path.join(box.root, "all");
    const every = await restoreJson(box, ["home", "--all-versions", "--to", all]);
    const { stdout } = await runRestore(box, ["home", "--list", "--json"]);
    assert.equal(every.restored.files, stdout.trimEnd().split("\n").length);
    assert.equal(every.failure_count, 0);
    assert.equal(callsOf(await box.calls(), "cat").length, 0);
  });
}

test("each time of --list, given back as --as-of, means that version", async (t) => {
  const box = await makeBackup(t, newRclone, {
    default: { destination: "secret:data" },
    history: { kind: "dir" },
  });
  await box.write({ same: "same", "same too": "same" });
  for (const content of ["one", "second", "the third"]) {
    await writeFile(path.join(box.source, "file"), content);
    await box.expect(0);
  }
  const { stdout } = await runRestore(box, ["home", "--list", "file"]);
  const listed = stdout.trimEnd().split("\n");
  assert.equal(listed.length, 3, stdout);
  for (const line of listed) {
    const [, time = "", size = ""] = /^(\S+ \S+ \S+) .* (\d+) file$/.exec(line) ?? [];
    const again = await runRestore(box, ["home", "--list", "file", "--as-of", time]);
    assert.match(again.stdout, new RegExp(` ${size} file\n$`), `${time}\n${stdout}`);
  }
});

test("a remote that keeps no times is restored to, and that is told", async (t) => {
  const box = await makeBackup(t, newRclone, {
    default: { destination: "secret:data" },
    history: { kind: "dir" },
  });
  for (const name of ["a", "dir/b"])
    await writeAt(box.source, name, `content of ${name}`, Date.UTC(2026, 0, 31));
  await box.expect(0);
  await serveWebdav(box);
  const to = ["home", "--to", "dav:there"];
  const first = await runRestore(box, to);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^restored 2 files .*\nunverified .*: 2 files/);
  assert.match(first.stderr, /^rclone-restore: warning: the target keeps no modification times/);
  const again = await restoreJson(box, to);
  assert.deepEqual([again.restored.files, again.already_there.files], [0, 2]);
  // Its size alone makes no file the one that was asked for.
  const anew = await restoreJson(box, [...to, "--overwrite"]);
  assert.deepEqual([anew.restored.files, anew.failure_count], [2, 0]);
});

test("a time just below a millisecond is the same time", async (t) => {
  const box = await makeBackup(t, newRclone, {
    default: { destination: "secret:data" },
    history: { kind: "dir" },
  });
  const file = path.join(box.source, "file");
  await writeFile(file, "content");
  // Node reads the milliseconds of it as those of 12:00:01.
  await execa("touch", ["-d", "2026-01-31T12:00:00.999999999Z", file]);
  assert.equal((await stat(file)).mtimeMs, Date.parse("2026-01-31T12:00:01Z"));
  await box.expect(0);
  const restore = ["home", "--as-of", "now", "--to", path.join(box.root, "out")];
  await box.trace();
  assert.equal((await restoreJson(box, restore)).restored.files, 1);
  assert.equal(callsOf(await box.calls(), "cat").length, 0);
  assert.equal((await restoreJson(box, restore)).already_there.files, 1);
  // And the millisecond above is another one.
  await execa("touch", ["-d", "2026-01-31T12:00:01Z", path.join(box.root, "out/file")]);
  const other = await runRestore(box, restore);
  assert.equal(other.code, 3);
  assert.match(other.stderr, /file: expected nothing there, found another file/);
});

test("a deleted file whose name is a directory by now fails alone, and others like it keep their place", async (t) => {
  const settings = {
    default: { destination: "secret:data" },
    guards: { max_delete: "off", max_change: "off" },
    history: { kind: "dir" },
  };
  const box = await makeBackup(t, newRclone, settings, { a: "1", x: "1", "y/z": "1" });
  await box.expect(0);
  await box.remove("a", "x", "y");
  await box.write({ kept: "1" });
  await box.expect(0);
  await box.write({ "a/b": "22", y: "22" });
  await box.expect(0);
  const out = path.join(box.root, "out");
  const restore = ["home", "--include-deleted", "--to", out];
  const done = await restoreJson(box, restore, { code: 3 });
  const reasons = new Map(done.failures.map((failure) => [failure.path, failure.reason]));
  assert.deepEqual([...reasons.keys()].toSorted(), ["a", "y/z"]);
  assert.match(reasons.get("a") ?? "", /^expected no files below it, found some/);
  assert.match(reasons.get("y/z") ?? "", /^expected a directory on the way to it, found a file/);
  assert.deepEqual([...(await readTree(out)).keys()], ["a/b", "kept", "x", "y"]);
  const again = await restoreJson(box, restore, { code: 3 });
  assert.deepEqual([again.already_there.files, again.failure_count], [4, 2]);
  // Another place has room for it.
  const alone = ["home", "y/z", "--include-deleted", "--to", path.join(box.root, "other")];
  assert.equal((await restoreJson(box, alone)).restored.files, 1);
});

test("what a killed restore left goes, also where all files are in place already", async (t) => {
  const settings = { default: { destination: "secret:data" }, history: { kind: "dir" } };
  const box = await makeBackup(t, newRclone, settings, { a: "1" });
  await box.expect(0);
  const out = path.join(box.root, "out");
  await box.trace();
  await restoreJson(box, ["home", "--to", out]);
  const [copy] = callsOf(await box.calls(), "copy");
  const files = copy?.find((argument) => argument.includes("/.rclone-restore-")) ?? "";
  const staging = path.dirname(files);
  for (const left of ["files", "parts", "bulk-7"]) {
    await mkdir(path.join(staging, left), { recursive: true });
    await writeFile(path.join(staging, left, "left"), "plain text");
  }
  const again = await restoreJson(box, ["home", "--to", out]);
  assert.deepEqual([again.restored.files, again.already_there.files], [0, 1]);
  assert.deepEqual(await readdir(out), ["a"]);
});

test("a file that a run was writing when it was cut off is no current version without a word", async (t) => {
  const settings = {
    default: { destination: "secret:data" },
    guards: { max_change: "off" },
    history: { kind: "dir" },
  };
  const box = await makeBackup(t, newRclone, settings, { vm: "good", other: "1" });
  await box.expect(0);
  await box.write({ vm: "longer than before", fresh: "new and long" });
  await box.expect(0);
  // As the run leaves it when it is killed while it writes right under the final name.
  const history = ["delete", "secret:data.history", "--include", "000002-*.outcome.gz"];
  assert.equal((await box.runRclone(history)).code, 0);
  for (const name of ["vm", "fresh"])
    assert.equal((await box.runRclone(["rcat", `secret:data/${name}`], { input: "lo" })).code, 0);
  await rm(path.join(box.state, "backups"), { recursive: true });
  const out = path.join(box.root, "out");
  const { code, stderr } = await runRestore(box, ["home", "--to", out]);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /run 000002-\S+ was cut off, and no later one has put that right/);
  const told = /vm: expected the 18 bytes .* found 2: it was cut off; --as-of (\S+) restores/;
  const before = told.exec(stderr)?.[1] ?? "";
  assert.match(stderr, /fresh: expected the 12 bytes .* found 2: it was cut off/);
  assert.deepEqual([...(await readTree(out)).keys()], ["other"]);
  const old = path.join(box.root, "old");
  const earlier = await runRestore(box, ["home", "--as-of", before, "--to", old]);
  assert.equal(earlier.code, 0, earlier.stderr);
  assert.doesNotMatch(earlier.stderr, /cut off/);
  assert.equal((await readTree(old)).get("vm")?.content, "good");
});
