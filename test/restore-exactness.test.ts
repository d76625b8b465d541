import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { callsOf, makeBackedUp, type Settings, type TestBackup } from "./helpers/backups.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import { readTree, restoreJson, runCompiled, runRestore } from "./helpers/restoring.ts";

/* A point in time is exact also where runs had to try again or were cut off, and what can't be exact is told. */

const dated: Settings = {
  default: { destination: "secret:data" },
  guards: { max_delete: "off", max_change: "off" },
  history: { kind: "dir" },
};

const uncertain =
  /^\S+ warning: 1 file: the store can't say for sure that this was the version of that time; .*\n$/;

/** A moment between two runs. */
async function moment(): Promise<string> {
  await sleep(20);
  const now = new Date().toISOString();
  await sleep(20);
  return now;
}

/** The files as of a time, of which nothing is said but that times inside a run are uncertain. */
async function asOf(tree: TestBackup, time: string, told = /^$/): Promise<string[]> {
  const to = path.join(tree.root, `as-of-${time}`);
  await rm(to, { recursive: true, force: true });
  const { code, stderr } = await runRestore(tree, ["home", "--as-of", time, "--to", to]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, told);
  return [...(await readTree(to)).keys()].toSorted();
}

test("where the version of a time was pruned, the one before it is taken, and told", async (t) => {
  const tree = await makeBackedUp(t, newRclone, dated, { f: "version 0", same: "same" });
  const times: string[] = [];
  for (let version = 1; version <= 4; version += 1) {
    await tree.write({ f: `version ${version}` });
    await tree.expect(0);
    times.push(await moment());
  }
  const [first = "", second = ""] = times;
  const to = path.join(tree.root, "out");
  const before = await restoreJson(tree, ["home", "--as-of", second, "--to", `${to}1`]);
  assert.equal(before.outdated, 0);
  const pruned = await runCompiled(tree, "prune", ["-v", "home"]);
  assert.equal(pruned.code, 0, pruned.stderr);
  const told =
    /warning: 1 file: the version of that time is no longer kept, and the last one before it is taken: f; /;
  const args = ["home", "--as-of", second, "--to", `${to}2`];
  const { code, stderr } = await runRestore(tree, args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, told);
  assert.equal((await readTree(`${to}2`)).get("f")?.content, "version 0");
  assert.equal((await restoreJson(tree, [...args.slice(0, -1), `${to}3`])).outdated, 1);
  // It ended with the first of the runs that are gone, and the list says so.
  const list = await runRestore(tree, ["home", "--list", "--json", "f"]);
  const oldest = /"until":"([^"]*)"/.exec(list.stdout.trimEnd().split("\n").at(-1) ?? "")?.[1];
  assert.ok((oldest ?? first) < first, `${oldest} < ${first}`);
  const back = await runCompiled(tree, "recover", ["-n", "--as-of", second, "home"]);
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stderr, told);
});

for (const rclone of rclones) {
  test(`what a second attempt set aside and could not be brought together is not lost to a restore (${rclone.version})`, async (t) => {
    const files = { keep: "keep", gone: "precious", turned: "old" };
    const tree = await makeBackedUp(t, rclone, dated, files);
    const before = await moment();
    await tree.remove("gone");
    await tree.write({ turned: "new and longer" });
    const [once, broken] = ["once", "broken"].map((name) => path.join(tree.root, name));
    // The first attempt does nothing, and the connection is lost when the second one is done.
    await tree.trace(
      `if [ "$1" = sync ] && [ ! -e '${once}' ]; then : >'${once}'; exit 1; fi; if [ "$1" = move ] && [ ! -e '${broken}' ]; then : >'${broken}'; exit 1; fi`,
    );
    await tree.expect(1, { stderr: /history: expected to bring .* run the backup again/s });
    await tree.trace();
    await tree.expect(0, { stderr: /was cut off: 1 file that it had moved/ });
    const after = await moment();
    assert.deepEqual(await asOf(tree, before), ["gone", "keep", "turned"]);
    const { content } =
      (await readTree(path.join(tree.root, `as-of-${before}`))).get("turned") ?? {};
    assert.equal(content, "old");
    assert.deepEqual(await asOf(tree, after, uncertain), ["keep", "turned"]);
  });

  test(`attempts that set nothing aside, or all of it, are brought together without a word (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated, { keep: "keep", gone: "gone" });
    const before = await moment();
    const once = path.join(tree.root, "once");
    const first = async (how: string): Promise<void> => {
      await rm(once, { force: true });
      await tree.trace(
        `if [ "$1" = sync ] && [ ! -e '${once}' ]; then : >'${once}'; ${how} exit 1; fi`,
      );
    };
    await tree.write({ new: "new" });
    await first(`'${rclone.path}' "$@";`);
    await tree.expect(0);
    assert.equal(callsOf(await tree.calls(), "sync").length, 2);
    await tree.remove("gone");
    await first("");
    await tree.expect(0);
    const { run } = await tree.report();
    assert.ok((await tree.stored("secret:data.history")).every((name) => name < run));
    assert.deepEqual(await asOf(tree, before), ["gone", "keep"]);
  });

  test(`a new file that changed again between two attempts was not there before the run (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated, { keep: "keep" });
    const before = await moment();
    await tree.write({ log: "first line\n" });
    const once = path.join(tree.root, "once");
    await tree.trace(
      `if [ "$1" = sync ] && [ ! -e '${once}' ]; then : >'${once}'; '${rclone.path}' "$@"; echo 'another line' >>'${tree.source}/log'; exit 1; fi`,
    );
    const { run } = await tree.report();
    const after = await moment();
    assert.ok((await tree.stored("secret:data.history")).includes(`${run}/log`));
    assert.deepEqual(await asOf(tree, before), ["keep"]);
    // It is not what had been listed.
    assert.deepEqual(await asOf(tree, after, uncertain), ["keep", "log"]);
    const undone = await runCompiled(tree, "recover", ["-n", "--as-of", before, "home"]);
    assert.match(undone.stdout, /^hide .*log$/m);
    assert.doesNotMatch(undone.stdout, /^restore/m);
  });

  test(`what a killed run stored and had not planned came with that run (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated, { keep: "keep" });
    const before = await moment();
    await tree.write({ planned: "planned" });
    await tree.trace(
      `if [ "$1" = sync ]; then echo 'came during the run' >'${tree.source}/later'; '${rclone.path}' "$@"; kill -9 $PPID; exit 1; fi`,
    );
    assert.equal((await tree.run()).signal, "SIGKILL");
    await tree.trace();
    await tree.run();
    const after = await moment();
    assert.deepEqual(await asOf(tree, before), ["keep"]);
    const to = path.join(tree.root, "after");
    await restoreJson(tree, ["home", "--as-of", after, "--to", to]);
    assert.deepEqual([...(await readTree(to)).keys()].toSorted(), ["keep", "later", "planned"]);
  });

  test(`closing a killed run hides nothing that earlier ones brought (${rclone.version})`, async (t) => {
    const tree = await makeBackedUp(t, rclone, dated, { stays: "stays" });
    const kill = `case "$*" in *--backup-dir*) '${rclone.path}' "$@"; kill -9 $PPID; exit 1;; esac`;
    const image = path.join(tree.root, "image");
    await cp(tree.state, image, { recursive: true });
    // The second kill comes while the first one's files are in no manifest.
    await tree.trace(kill);
    await tree.write({ a: "a" });
    assert.equal((await tree.run()).signal, "SIGKILL");
    const first = await moment();
    await tree.write({ b: "b" });
    assert.equal((await tree.run()).signal, "SIGKILL");
    await tree.trace();
    await tree.run();
    assert.deepEqual(await asOf(tree, first, uncertain), ["a", "stays"]);

    // The state comes back from an image that is older than what lies beside the destination.
    await tree.write({ x: "important" });
    await tree.expect(0);
    const then = await moment();
    await tree.trace(kill);
    await tree.write({ y: "y" });
    assert.equal((await tree.run()).signal, "SIGKILL");
    await tree.trace();
    await rm(tree.state, { recursive: true });
    await cp(image, tree.state, { recursive: true });
    await tree.run();
    assert.ok((await asOf(tree, then, /^(?:\S+ warning: .*\n)*$/)).includes("x"));
  });
}
