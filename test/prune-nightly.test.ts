import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";

const nightly = "[history]\nprune = yes\n[retention]\n/ = one_year\n";

/** A file deleted two years ago, one superseded then, and a change to back up. */
async function overdue(t: TestContext, settings: string): Promise<HistoryWorld> {
  const world = await historyWorld(t);
  const { past, write, remove } = world;
  await past(790, async () => {
    await write("dead", "dead");
    await write("live", "live once");
  });
  await past(730, async () => {
    await remove("dead");
    await write("live", "lives");
  });
  world.present();
  await write("new", "new");
  await world.configure(settings);
  return world;
}

const pruned = ["live upload 5", "new upload 3"];
const all = ["dead hide", "dead upload 4", "live upload 5", "live upload 9", "new upload 3"];

test("prune = yes removes old versions after a good backup, under its lock", async (t) => {
  const world = await overdue(t, nightly);
  await world.expect(0, "rclone-backup", ["-n", "home"]);
  assert.equal(world.versions().length, 4);
  const [planned] = await world.json("rclone-backup", ["-n", "home"]);
  assert.equal(planned?.["pruned"], null);
  const { stdout, stderr } = await world.expect(0, "rclone-backup", ["home"]);
  assert.deepEqual([stdout, stderr], ["", ""]);
  assert.deepEqual(world.versions(), pruned);
  const { stderr: told } = await world.expect(0, "rclone-backup", ["-v", "home"]);
  assert.match(told, /prune: removed 0 versions/);
});

test("without it nothing goes, and nothing after a warning or a failure", async (t) => {
  const plain = await overdue(t, nightly.replace("yes", "no"));
  await plain.expect(0, "rclone-backup", ["home"]);
  assert.deepEqual(plain.versions(), all);

  const warned = await overdue(t, `post_command = false\n${nightly}`);
  const [result] = await warned.json("rclone-backup", ["home"]);
  assert.equal(result?.["result"], "warning");
  assert.deepEqual(warned.versions(), all);

  const partial = await overdue(t, nightly);
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  partial.server.faults.plan([
    { api: "b2_upload_file", name: partial.stored("new"), times: Infinity, deed },
  ]);
  const run = await partial.run("rclone-backup", ["home"]);
  assert.ok(run.code === 3 || run.code === 1, run.stderr);
  assert.equal(partial.versions().length, 4);
});

test("a prune that fails or is refused is a warning of a good backup", async (t) => {
  const world = await overdue(t, nightly);
  const { server } = world;
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  server.faults.plan([{ api: "b2_delete_file_version", times: Infinity, deed }]);
  const [first] = await world.json("rclone-backup", ["home"]);
  assert.deepEqual([first?.["result"], first?.["exit_code"]], ["warning", 0]);
  assert.deepEqual([dig(first, "pruned", "versions"), dig(first, "pruned", "failures")], [0, 2]);
  assert.match(
    JSON.stringify(first?.["warnings"]),
    /prune: old versions of 2 files could not be removed/,
  );
  server.faults.clear();

  const key = server.addKey({
    capabilities: ["listBuckets", "listFiles", "readFiles", "writeFiles"],
  });
  const env = server.rcloneEnv("cloud", key);
  const limited = await world.expect(0, "rclone-backup", ["home"], { env });
  assert.match(limited.stderr, /warning: prune: .*deleteFiles/);

  server.clock.set(Date.now() - 3 * 3_600_000);
  const refused = await world.expect(0, "rclone-backup", ["home"]);
  assert.match(refused.stderr, /warning: prune: clock: expected the time of the store/);
  assert.deepEqual(world.versions(), all);

  server.clock.set(Date.now());
  const [last] = await world.json("rclone-backup", ["home"]);
  assert.deepEqual([last?.["result"], dig(last, "plan", "counted_from")], ["success", "manifest"]);
  assert.deepEqual(world.versions(), pruned);
  const counts = ["versions", "failures", "unfinished"].map((field) => dig(last, "pruned", field));
  assert.deepEqual(counts, [3, 0, 0]);
});

test("a store that keeps nothing, or a clock that jumped, is told each time", async (t) => {
  const world = await overdue(t, nightly);
  await world.box.writeConfig(
    "disk",
    `[default]\nsource = ${world.box.source}\ndestination = ${world.box.store}/disk\n${nightly}`,
  );
  const { stderr } = await world.expect(0, "rclone-backup", ["disk"]);
  assert.match(stderr, /warning: prune: .*expected a store that keeps old versions, found local/);
  await world.expect(0, "rclone-backup", ["--set", "history.prune=no", "home"]);
  const parent = path.join(world.box.state, "backups");
  const name = (await readdir(parent)).find((each) => each.startsWith("home-")) ?? "";
  const file = path.join(parent, name, "state.json");
  const state = await readFile(file, "utf8");
  const old = new Date(Date.now() - 40 * 86_400_000).toISOString();
  await writeFile(file, state.replaceAll(/"finishedAt": "[^"]*"/g, `"finishedAt": "${old}"`));
  const jumped = await world.expect(0, "rclone-backup", ["home"]);
  assert.match(
    jumped.stderr,
    /prune: clock: expected at most 30 days since the last run, .* 40 days/,
  );
  assert.deepEqual(world.versions(), all);
  await world.expect(0, "rclone-backup", ["home"]);
  assert.deepEqual(world.versions(), pruned);
});
