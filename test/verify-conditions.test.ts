import assert from "node:assert/strict";
import { stat, utimes } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { eitherRclone, newRclone, oldRclone } from "./helpers/rclones.ts";
import { bytes, makeBacked, paths } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

/** 40 files of 100 to 490 bytes: 11,800 together. */
const sizes = Array.from({ length: 40 }, (_, at) => 100 + 10 * at);
const total = sizes.reduce((sum, size) => sum + size, 0);
const files = Object.fromEntries(sizes.map((size, at) => [`f${at}`, bytes(size, at)]));
const days = 86_400_000;

async function refused(backed: Backed, args: readonly string[], words: RegExp): Promise<void> {
  const { code, stdout, stderr } = await backed.backup([...args, "b"]);
  assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
  assert.match(stderr, words);
  assert.equal(stdout, "");
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`conditions choose what they say (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const chosenBy = async (...args: string[]): Promise<{ files: number; bytes: number }> => {
      const { code, doc, stderr } = await backed.verify(args);
      assert.equal(code, 0, stderr);
      assert.deepEqual(doc.verified, doc.chosen, "all that was chosen is verified");
      return doc.verified;
    };
    assert.deepEqual(await chosenBy("all"), { files: 40, bytes: total });

    // What is left of a hard budget is less than the smallest file that was not chosen: at most
    // 160 bytes of 1,000 (the six smallest fill 750), and never more than the largest file.
    const hard = await chosenBy("data=<1000");
    assert.ok(hard.bytes <= 1000 && hard.bytes > 1000 - 160, `${hard.bytes} bytes`);
    const soft = await chosenBy("data=1000");
    assert.ok(soft.bytes >= 1000 && soft.bytes < 1000 + 490, `${soft.bytes} bytes`);
    const kilo = await chosenBy("data=<1K");
    assert.ok(kilo.bytes <= 1024);
    const half = await chosenBy("data=<50%");
    assert.ok(half.bytes <= total / 2 && half.bytes > total / 2 - 490, `${half.bytes} bytes`);

    assert.equal((await chosenBy("files=3")).files, 3);
    assert.equal((await chosenBy("files=10%")).files, 4);
    assert.equal((await chosenBy("files=1%")).files, 1, "a part of a file is a file");
    assert.equal((await chosenBy("files=1000")).files, 40);
    const one = await chosenBy("data=1%");
    assert.ok(one.bytes >= total / 100 && one.files <= 2, "1% of few files is not everything");

    const both = await chosenBy("files=2", "data=<100000");
    assert.equal(both.files, 2);
    const either = await chosenBy("files=40", "data=<1000");
    assert.ok(either.bytes <= 1000);
    assert.equal((await chosenBy("files=3,data=<100000")).files, 3, "conditions in one word");
  });

  test(`nothing chosen is said to be nothing (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    for (const condition of ["data=0", "data=<0", "data=<99", "files=0", "data=0%", "age=1h"]) {
      const { code, stdout, stderr } = await backed.backup(["--verify", condition, "b"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^verified nothing: the conditions choose none of \d+ files/);
      const { doc } = await backed.verify([condition]);
      assert.deepEqual(doc.verified, { files: 0, bytes: 0 });
    }
  });

  test(`age cuts, and percent is of what it leaves (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, more: "[filters]\n- /f3*\n" });
    const young = new Date(Date.now() - 3_600_000);
    for (const at of [0, 1, 2, 4]) await utimes(path.join(backed.source, `f${at}`), young, young);
    await utimes(path.join(backed.source, "f5"), young, new Date(Date.now() + days));
    await backed.backUp();
    const pool = async (...args: string[]): Promise<[number, number]> => {
      const { doc } = await backed.verify(args);
      return [doc.pool.files, doc.verified.files];
    };
    assert.deepEqual(await pool("age=1d"), [5, 5]);
    assert.deepEqual(await pool("age=1d", "files=40%"), [5, 2]);
    assert.deepEqual(await pool("age=7d"), [29, 29]);
    assert.deepEqual(await pool("age=5000y"), [29, 29]);
    assert.deepEqual(await pool(`age=${new Date(Date.now() - 7 * days).toISOString()}`), [29, 29]);
    assert.deepEqual(await pool("age=2001-01-01 10:00:00,files=1"), [29, 1]);
    const { doc } = await backed.verify(["age=1d", "data=<50%"]);
    assert.ok(doc.verified.bytes <= doc.pool.bytes / 2);
    assert.equal(doc.pool.bytes, 100 + 110 + 120 + 140 + 150);
  });
}

test("conditions that can't be right are refused before anything is read", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { a: "a" }, backUp: false });
  await backed.double('case $1 in lsf|check) exit 99;; esac\nexec "$REAL" "$@"\n');
  await refused(backed, ["--verify", "all", "--verify", "data=1G"], /expected all alone/);
  await refused(backed, ["--verify", "all", "--verify", "hash"], /hash alone compares every file/);
  await refused(backed, ["--verify", "data=1", "--verify", "data=2"], /data twice/);
  await refused(backed, ["--verify", "size=1"], /expected a condition/);
  await refused(backed, ["--verify", "files=<3"], /always a hard limit/);
  await refused(backed, ["--verify", "files=-1"], /expected a number of files/);
  await refused(backed, ["--verify", "data=101%"], /from 0% to 100%/);
  await refused(backed, ["--verify", "age=soon"], /expected an age/);
  await refused(backed, ["--verify", "all=1"], /all without a value/);
  await refused(backed, ["--seed", "1"], /--seed with --verify/);
  await refused(backed, ["--verify", "all", "--ls"], /expected one of --verify/);
});

test("--verify alone takes the conditions of the configuration", async (t) => {
  const more = "[verify]\nconditions = files=2, data=<600\n";
  const backed = await makeBacked(t, { rclone: oldRclone, files, more });
  const { code, stdout } = await backed.backup(["b", "--json", "--verify"]);
  assert.equal(code, 0);
  assert.match(stdout, /"chosen":\{"files":2,/);
  const own = await backed.verify(["files=5"]);
  assert.equal(own.doc.verified.files, 5, "those of the command line win");

  await backed.writeConfig("c", `[default]\nsource = ${backed.source}\ndestination = secret:c\n`);
  const none = await backed.backup(["c", "--verify"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /expected a condition, found none/);
});

test("the same seed chooses the same files, with either rclone", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const lists: string[] = [];
  for (const rclone of [newRclone, oldRclone, newRclone]) {
    await backed.double(`for arg; do
  case $last in --files-from-raw) cat "$arg" >>"${backed.root}/chosen";; esac
  last=$arg
done
exec ${rclone.path} "$@"
`);
    const { doc } = await backed.verify(["data=3000", "--seed=11"]);
    assert.equal(doc.seed, 11);
    const { stdout } = await backed.runRclone(["cat", path.join(backed.root, "chosen")]);
    lists.push(stdout);
    await backed.runRclone(["deletefile", path.join(backed.root, "chosen")]);
  }
  assert.match(lists[0] ?? "", /^f\d/);
  assert.equal(lists[1], lists[0]);
  assert.equal(lists[2], lists[0]);

  const chosen = new Set<string>();
  for (const seed of ["1", "2", "3", "4"]) {
    const { doc } = await backed.verify(["files=3", `--seed=${seed}`]);
    chosen.add(String(doc.verified.bytes));
  }
  assert.ok(chosen.size > 1, "another seed chooses others");
});

test("the text says what was verified and with which seed", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const some = await backed.backup(["--verify", "files=3", "--seed", "5", "b"]);
  assert.match(some.stdout, /^verified 3 of 40 files, .* of 11\.5 KiB \(seed 5\)\n$/);
  const all = await backed.backup(["--verify", "all", "b"]);
  assert.match(all.stdout, /^verified 40 of 40 files, 11\.5 KiB of 11\.5 KiB\n$/);
  const quiet = await backed.backup(["-q", "--verify", "all", "b"]);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
  const dry = await backed.backup(["-n", "--verify", "files=3", "--seed", "5", "b"]);
  assert.match(dry.stdout, /^would verify 3 of 40 files, /);
});

test("a dry run reads nothing back", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await backed.double(`case $1 in check|cryptcheck) : >"${backed.root}/checked";; esac
exec "$REAL" "$@"
`);
  const { doc } = await backed.verify(["-n", "all"]);
  assert.deepEqual([doc.dry_run, doc.chosen.files, doc.verified.files], [true, 40, 0]);
  await assert.rejects(stat(path.join(backed.root, "checked")));
  assert.deepEqual(paths(doc.differences), []);
});
