import assert from "node:assert/strict";
import { mkdir, rename, symlink } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { RunOptions } from "./helpers/command.ts";
import { makeBackedUp, makeBackup, type TestBackup } from "./helpers/backups.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";

// A source such as / or a home directory holds our own state, which changes in every run.

/** Options by which the state is at a path below the source. */
function stateAt(backup: TestBackup, ...names: readonly string[]): RunOptions {
  return { env: { RCLONE_BACKUPS_STATE: path.join(backup.source, ...names) } };
}

async function filters(backup: TestBackup, options: RunOptions = {}): Promise<string> {
  return (await backup.expect(0, { args: ["--filters"], ...options })).stdout;
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`the state in the source is not backed up, its namesakes are (${rclone.version} rclone)`, async (t) => {
    const name = "st*te [1] {é,x}\\y";
    const files = {
      a: "1",
      "var/state/backups/x": "a namesake",
      [`var/${name}2/x`]: "begins like it",
      [`deep/var/${name}/x`]: "lies deeper",
      "var/stxte [1] {é,x}\\y/x": "matches it as a pattern",
    };
    const backup = await makeBackup(t, rclone, {}, files);
    const state = stateAt(backup, "var", name);
    await backup.expect(0, state);
    assert.deepEqual(await backup.stored(), Object.keys(files).toSorted());
    const second = await backup.report([], state);
    assert.deepEqual(
      [second.plan?.counted_from, second.plan?.added.files, second.plan?.changed.files],
      ["manifest", 0, 0],
      "a night without changes is one",
    );
    const { stdout } = await backup.expect(0, { args: ["--ls"], ...state });
    assert.equal(stdout.trimEnd().split("\n").length, Object.keys(files).length);
    await backup.expect(0, { args: ["--verify", "all"], stderr: /^$|verified/, ...state });
  });
}

test("the rule stands right after the built-in ones, and no rule of the user's comes before it", async (t) => {
  const backup = await makeBackup(
    t,
    oldRclone,
    { filters: ["+ /st a]te/**", "- /b"], "test-filters": ["+ /st a]te/locks/**"] },
    { a: "1", b: "2", "special-files.tar.gz": "" },
  );
  const state = stateAt(backup, "st a]te");
  const builtIn = "- *~\n- .#*\n- /st a\\]te/**\n";
  assert.equal(
    await filters(backup, state),
    `${builtIn}+ /special-files.tar.gz\n+ /st a]te/**\n- /b\n`,
  );
  const tested = await backup.expect(0, { args: ["--test-filters"], ...state });
  assert.match(tested.stdout, /^- \*~\n- \.#\*\n- \/st a\\\]te\/\*\*\n.*\n\+ \/st a\]te\/locks/);
});

test("there is no such rule where the state is not in the source", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  const plain = "- *~\n- .#*\n";
  assert.equal(await filters(backup), plain, "beside it");
  const beside = { env: { RCLONE_BACKUPS_STATE: `${backup.source}2/state` } };
  assert.equal(await filters(backup, beside), plain, "in a place whose name begins like it");
  assert.equal(await filters(backup, stateAt(backup)), plain, "the state itself is the source");
  await backup.configure({ default: { source: "plain:", destination: "secret:" } });
  assert.equal(await filters(backup, stateAt(backup, "state")), plain, "another store");
});

test("links on both ways are seen through", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { "real/a": "1" });
  const inside = path.join(backup.source, "real", "state");
  await mkdir(inside, { mode: 0o700 });
  const link = path.join(backup.root, "link");
  await symlink(inside, link);
  const rule = "- *~\n- .#*\n- /real/state/**\n";
  assert.equal(await filters(backup, { env: { RCLONE_BACKUPS_STATE: link } }), rule);
  const sourceLink = path.join(backup.root, "source-link");
  await symlink(backup.source, sourceLink);
  await backup.configure({ default: { source: sourceLink } });
  assert.equal(await filters(backup, stateAt(backup, "real", "state")), rule);
  // A link in the source that leads out of it is stored as a link: the state is elsewhere.
  await symlink(backup.state, path.join(backup.source, "out"));
  assert.equal(await filters(backup, stateAt(backup, "out")), "- *~\n- .#*\n");
});

test("a whole machine: the source is /", async (t) => {
  const backup = await makeBackup(t, oldRclone);
  await backup.configure({ default: { source: "/" }, filters: ["- *"] });
  const { stdout } = await backup.expect(0, { args: ["--filters"] });
  assert.equal(stdout, `- *~\n- .#*\n- ${backup.state}/**\n- *\n`);
});

test("a manifest from before the state came into the source is not trusted", async (t) => {
  const backup = await makeBackedUp(t, oldRclone, {}, { a: "1", b: "2" });
  assert.equal((await backup.report()).plan?.counted_from, "manifest");
  await rename(backup.state, path.join(backup.source, "state"));
  const moved = await backup.report([], stateAt(backup, "state"));
  assert.equal(moved.plan?.counted_from, "dry run", "other rules hold now");
  assert.equal((await backup.report([], stateAt(backup, "state"))).plan?.counted_from, "manifest");
  assert.deepEqual(await backup.stored(), ["a", "b"]);
});
