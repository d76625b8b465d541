import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { cryptNames } from "../lib/crypt/cryptnames.ts";
import { rawFromText, textFromRaw } from "../lib/units/rawpath.ts";
import { until } from "./helpers/backups.ts";
import { run } from "./helpers/command.ts";
import { ago, dig, historyWorld } from "./helpers/historyworld.ts";
import { oldRclone } from "./helpers/rclones.ts";

const refusal = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;

test("a place whose backup is known is pruned by its name only", async (t) => {
  const world = await historyWorld(t);
  world.present();
  await world.configure("[retention]\n/ = forever\n");
  for (const days of [4000, 3000])
    world.server.put(world.stored("a"), Buffer.alloc(49), { at: ago(days) });
  const elsewhere = { env: { RCLONE_BACKUPS_DIR: "" } };
  const unknown = await world.expect(0, "prune", ["-n", "hidden:data"], elsewhere);
  assert.match(unknown.stderr, /warning: hidden:data: no configuration says what is kept there/);
  // Before its first run the configuration alone tells of it.
  const configured = await world.expect(2, "prune", ["-n", "hidden:data"]);
  assert.match(configured.stderr, /hint: use its name home \(\S+home\.conf\)/);
  await world.write("a", "a");
  await world.expect(0, "rclone-backup", ["home"]);
  const before = world.versions();
  for (const args of [["hidden:data"], ["-n", "hidden:data"], ["hidden:data/"]]) {
    const { stderr } = await world.expect(2, "prune", args);
    assert.match(stderr, /hint: use its name home \(\S+home\.conf\)/);
  }
  assert.deepEqual(world.versions(), before);
  await world.expect(0, "prune", ["home"]);
  assert.deepEqual(world.versions(), before);
  await world.expect(0, "prune", ["--purge", "--force", "hidden:data"]);
  assert.deepEqual(world.versions(), ["a upload 1"]);
});

test("a part of a backup, or what is around one, is pruned and cleaned by its name only", async (t) => {
  const world = await historyWorld(t);
  const { server, stored } = world;
  await world.configure("[retention]\n/ = forever\n");
  for (const days of [4000, 3000]) server.put(stored("d/a"), Buffer.alloc(49), { at: ago(days) });
  world.present();
  await world.write("d/a", "a");
  await world.expect(0, "rclone-backup", ["home"]);
  const before = world.versions();
  const raw = `cloud:${server.bucket}`;
  const inside = /found a location inside the backup home\n.*hint: use its name/;
  const around = /found a location around the backup home\n/;
  const refused = async (command: string, args: readonly string[], told: RegExp): Promise<void> => {
    const { stderr } = await world.expect(2, command, args);
    assert.match(stderr, told);
  };
  await refused("prune", ["hidden:data/d"], inside);
  for (const place of ["hidden:", raw, `${raw}/some where`])
    await refused("prune", ["-n", place], around);
  await refused("prune", ["--purge", "--force", "hidden:"], around);
  await refused("cleanup", ["--yes", "--purge", "hidden:data/d", "a"], inside);
  await refused("cleanup", ["--yes", "hidden:", "data/d"], around);
  // Where its configuration is gone, the state knows of it still.
  await rm(path.join(world.box.config, "home.conf"));
  await refused("prune", ["hidden:data/d"], inside);
  await refused("prune", ["hidden:data"], /found its location, for which no policies are set/);
  assert.deepEqual(world.versions(), before);
  // What lies beside it is nobody's.
  await world.expect(0, "prune", ["-n", "hidden:other"]);
});

test("uploads that can't be cancelled leave the rest of the result as it is", async (t) => {
  const world = await historyWorld(t);
  const { server, stored } = world;
  world.present();
  await world.configure("[retention]\n/ = none\n");
  for (const days of [20, 10]) server.put(stored("a"), Buffer.alloc(49), { at: ago(days) });
  server.startLarge(stored("idle"), ["x"], { at: ago(3) });
  const key = server.addKey({ capabilities: ["listBuckets", "listFiles", "deleteFiles"] });
  const env = server.rcloneEnv("cloud", key);
  const lines = await world.json("prune", ["home"], { code: 3, env });
  const last = lines.at(-1);
  assert.deepEqual(
    [dig(last, "removed", "versions"), dig(last, "unfinished", "cancelled")],
    [1, 0],
  );
  assert.match(String(last?.["message"]), /unfinished uploads could not all be cancelled: .*/);
  const alone = await world.run("prune", ["--no-files", "home"], { env });
  assert.ok([1, 2].includes(alone.code ?? 0), alone.stderr);
  server.faults.plan([{ api: "b2_list_unfinished_large_files", times: Infinity, deed: refusal }]);
  const { stderr } = await world.expect(3, "prune", ["home"]);
  assert.match(stderr, /unfinished uploads could not all be cancelled/);
});

test("a signal during the nightly prune is one of the backup", async (t) => {
  const world = await historyWorld(t);
  const { server, past, write } = world;
  await past(20, async () => write("a", "once"));
  await past(10, async () => write("a", "changed"));
  world.present();
  await world.configure("[history]\nprune = yes\n[retention]\n/ = none\n");
  server.faults.plan([{ api: "b2_delete_file_version", times: Infinity, deed: { kind: "hang" } }]);
  const live = world.start("rclone-backup", ["home"]);
  const asked = (): boolean => server.requests.some(({ api }) => api === "b2_delete_file_version");
  await until(async () => asked(), "a removal under way");
  live.kill("SIGTERM");
  const { code, stderr } = await live.done;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /stopped by a signal while old versions were removed/);
  // The backup was good, and stays so.
  const parent = path.join(world.box.state, "backups");
  const [name = ""] = await readdir(parent);
  const state: unknown = JSON.parse(await readFile(path.join(parent, name, "state.json"), "utf8"));
  assert.ok(typeof state === "object" && state !== null);
  assert.deepEqual(
    [dig({ ...state }, "last", "result"), dig({ ...state }, "trusted")],
    ["success", true],
  );
});

test("one name that decrypts by chance makes no password right", async (t) => {
  const world = await historyWorld(t);
  const { server } = world;
  world.present();
  const obscured = (await run(oldRclone.path, ["obscure", "another"])).stdout.trim();
  const readable = ["directory_name_encryption", "false"] as const;
  const another = cryptNames(new Map([["password", obscured], readable]));
  const chance = `some where/${textFromRaw(another.encode(rawFromText("data/dir/chance"), "file"))}`;
  const env = {
    RCLONE_CONFIG_HIDDEN_PASSWORD: obscured,
    RCLONE_CONFIG_HIDDEN_DIRECTORY_NAME_ENCRYPTION: "false",
  };
  for (let n = 0; n < 60; n += 1) {
    const name = `some where/data/dir/${world.stored(`f${n}`).replace(/^.*\//, "")}`;
    for (const days of [20, 10]) server.put(name, Buffer.alloc(49), { at: ago(days) });
  }
  for (const days of [20, 10]) server.put(chance, Buffer.alloc(49), { at: ago(days) });
  server.startLarge(chance, ["x"], { at: ago(3) });
  const before = server.versions();
  for (const [command, args] of [
    ["cleanup", ["--yes", "home", "dir"]],
    ["cleanup", ["-n", "home", "dir"]],
    ["du", ["--all", "home"]],
    ["prune", ["--no-files", "home"]],
    ["recover", ["-n", "--as-of", new Date(ago(15)).toISOString(), "home"]],
  ] as const) {
    const { stderr, stdout } = await world.expect(1, command, args, { env });
    assert.match(stderr, /found 1 of 61 that it does\n.*hint: wrong password\?/);
    assert.equal(stdout, "");
  }
  assert.deepEqual(server.versions(), before);
});
