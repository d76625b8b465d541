import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { ago, dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";
import { oldRclone } from "./helpers/rclones.ts";
import { run } from "./helpers/command.ts";
import type { Deed } from "./helpers/b2/faults.ts";
import { until } from "./helpers/backups.ts";

/** Files f0, f1, … deleted two years ago, of two versions each. */
async function dead(t: TestContext, files: number, more = ""): Promise<HistoryWorld> {
  const made = await historyWorld(t);
  made.present();
  await made.configure(`[retention]\n/ = one_year_all\n${more}`);
  for (let at = 0; at < files; at += 1) {
    const name = made.stored(`f${at}`);
    for (const days of [790, 780]) made.server.put(name, Buffer.alloc(49), { at: ago(days) });
    made.server.hide(name, { at: ago(730) });
  }
  made.server.put(made.stored("live"), Buffer.alloc(49));
  return made;
}

/** An answer with an error. */
function status(code: number, name: string, retryAfter?: number): Deed {
  const answer = { kind: "status", status: code, code: name } as const;
  return retryAfter === undefined ? answer : { ...answer, retryAfter };
}

/** The names that a listing without history shows. */
function visible({ entries }: HistoryWorld): string[] {
  const seen = new Set<string>();
  return entries().flatMap(({ path, action }) => {
    const first = !seen.has(path);
    seen.add(path);
    return first && action === "upload" ? [path] : [];
  });
}

test("versions of one file go one after another, the oldest first", async (t) => {
  const made = await dead(t, 12);
  const { server } = made;
  const order = new Map<string, string[]>();
  for (const { fileName, fileId } of server.versions())
    order.set(fileName, [fileId, ...(order.get(fileName) ?? [])]);
  const gone: string[] = [];
  const before = new Set(server.versions().map(({ fileId }) => fileId));
  const lines = await made.json("prune", ["home"]);
  for (const line of lines.slice(0, -1)) gone.push(String(line["id"]));
  // What was told is in order, and each file's calls came in it, each after the answer of the last.
  const deletions = server.requests.filter(({ api }) => api === "b2_delete_file_version");
  assert.equal(deletions.length, 36);
  assert.equal(before.size, 37);
  for (const [name, ids] of order) {
    if (name === made.stored("live")) continue;
    assert.equal(ids.length, 3);
    const told = gone.filter((id) => ids.some((each) => id.includes(each)));
    assert.deepEqual(told.length, 3);
    for (const [at, id] of told.entries()) assert.ok(id.includes(ids[at] ?? "?"), name);
    assert.equal(deletions.filter(({ fileName }) => fileName === name).length, 3);
  }
  assert.deepEqual(visible(made), ["live"]);
});

test("a version that can't be removed keeps everything newer of its file", async (t) => {
  const made = await dead(t, 3);
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  made.server.faults.plan([
    { api: "b2_delete_file_version", name: made.stored("f1"), from: 2, times: Infinity, deed },
  ]);
  const lines = await made.json("prune", ["home"], { code: 3 });
  const [last] = lines.slice(-1);
  assert.deepEqual([dig(last, "removed", "versions"), dig(last, "removed", "left")], [7, 1]);
  assert.deepEqual(made.versions(), ["f1 hide", "f1 upload 1", "live upload 1"]);
  assert.match(String(last?.["message"]), /old versions of 1 file could not be removed:\n {2}f1: /);
  made.server.faults.clear();
  await made.expect(0, "prune", ["home"]);
  assert.deepEqual(made.versions(), ["live upload 1"]);
});

test("--max-failures makes an end", async (t) => {
  const made = await dead(t, 20);
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  made.server.faults.plan([{ api: "b2_delete_file_version", times: Infinity, deed }]);
  const { stderr } = await made.expect(3, "prune", ["--max-failures", "2", "--batch", "2", "home"]);
  assert.match(stderr, /old versions of 2 files could not be removed, and so it stopped/);
  assert.equal(made.entries().length, 61);
});

test("busy servers are asked again, expired tokens renewed, a cap ends it", async (t) => {
  const made = await dead(t, 4);
  const { faults } = made.server;
  faults.plan([
    { api: "b2_list_file_versions", deed: status(503, "service_unavailable", 0) },
    { api: "b2_delete_file_version", from: 1, deed: { kind: "expire" } },
    { api: "b2_delete_file_version", from: 3, deed: status(429, "too_many_requests", 0) },
    { api: "b2_delete_file_version", from: 5, deed: status(503, "service_unavailable", 0) },
    { api: "b2_delete_file_version", from: 7, deed: { kind: "lost" } },
  ]);
  await made.expect(0, "prune", ["home"]);
  assert.deepEqual(made.versions(), ["live upload 1"]);
  assert.equal(faults.pending(), 0);

  const capped = await dead(t, 4);
  capped.server.faults.plan([
    {
      api: "b2_delete_file_version",
      from: 3,
      times: Infinity,
      deed: status(403, "transaction_cap_exceeded"),
    },
  ]);
  const { stderr } = await capped.expect(1, "prune", ["--batch", "1", "home"]);
  assert.match(stderr, /cap/);
  assert.match(stderr, /removed 2 versions before the end/);
  assert.deepEqual(visible(capped), ["live"]);
  assert.ok(
    capped.server.requests.filter(({ api }) => api === "b2_delete_file_version").length <= 4,
  );
});

test("a key that may not delete, or not list, is told before anything is done", async (t) => {
  const made = await dead(t, 1);
  const before = made.versions();
  const capabilities = ["listBuckets", "listFiles", "readFiles", "writeFiles"];
  const as = (list: readonly string[]): Record<string, string> =>
    made.server.rcloneEnv("cloud", made.server.addKey({ capabilities: list }));
  const noDelete = await made.expect(2, "prune", ["home"], { env: as(capabilities) });
  assert.match(noDelete.stderr, /deleteFiles/);
  await made.expect(0, "prune", ["-n", "home"], { env: as(capabilities) });
  const noList = await made.expect(2, "prune", ["home"], {
    env: as(["listBuckets", "deleteFiles"]),
  });
  assert.match(noList.stderr, /listFiles/);
  assert.deepEqual(made.versions(), before);
});

test("a wrong password is said, and nothing is removed", async (t) => {
  const made = await dead(t, 40);
  const before = made.versions();
  const obscured = (await run(oldRclone.path, ["obscure", "another"])).stdout.trim();
  const env = { RCLONE_CONFIG_HIDDEN_PASSWORD: obscured };
  await made.box.writeConfig(
    "top",
    `[default]\nsource = ${made.box.source}\ndestination = hidden:\n[retention]\n/ = none\n`,
  );
  for (const args of [
    ["top"],
    ["-n", "top"],
    ["--purge", "--force", "top"],
    ["--explain", "f1", "top"],
  ]) {
    const { stderr } = await made.expect(1, "prune", args, { env });
    assert.match(stderr, /hint: wrong password\? nothing was changed/);
  }
  assert.deepEqual(made.versions(), before);
  await made.expect(0, "prune", ["home", "-n"]);
});

test("names that don't decrypt are left alone and told; they don't hold up the others", async (t) => {
  const made = await dead(t, 3);
  const { server } = made;
  const foreign = ["some where/readme.txt", made.stored("f1").replace(/[^/]*$/, "not ours")];
  for (const name of foreign)
    for (const days of [800, 700]) server.put(name, "plain", { at: ago(days) });
  await made.box.writeConfig(
    "top",
    `[default]\nsource = ${made.box.source}\ndestination = hidden:\n[retention]\n/ = one_year_all\n`,
  );
  const { stderr } = await made.expect(0, "prune", ["top", "-v"]);
  assert.match(
    stderr,
    /warning: 4 versions have names that are not of this backup and were left alone/,
  );
  assert.match(stderr, /left alone, since its name is not one of ours: readme\.txt \(2\)/);
  assert.deepEqual(
    visible(made).filter((name) => !name.startsWith("?")),
    ["live"],
  );
  assert.equal(server.versions().filter(({ fileName }) => foreign.includes(fileName)).length, 4);
});

test("where the last run left files and now are none, something is wrong", async (t) => {
  const made = await historyWorld(t);
  made.present();
  await made.write("a", "a");
  await made.expect(0, "rclone-backup", ["home"]);
  const obscured = (await run(oldRclone.path, ["obscure", "another"])).stdout.trim();
  const { stderr } = await made.expect(1, "prune", ["home"], {
    env: { RCLONE_CONFIG_HIDDEN_PASSWORD: obscured },
  });
  assert.match(stderr, /expected 1 file as the last run left, found none\n.*hint: wrong password/);
  await made.expect(0, "prune", ["home"]);
});

test("a clock that can't be believed is refused", async (t) => {
  const made = await dead(t, 1);
  const before = made.versions();
  made.server.clock.set(Date.now() - 2 * 3_600_000);
  for (const args of [["home"], ["-n", "home"], ["--explain", "f0", "home"]]) {
    const { stderr } = await made.expect(5, "prune", args);
    assert.match(stderr, /clock: expected the time of the store, .*, found .* on this machine/);
    assert.match(stderr, /--allow-clock/);
  }
  assert.deepEqual(made.versions(), before);
  await made.expect(0, "prune", ["--allow-clock", "home"]);
  assert.deepEqual(made.versions(), ["live upload 1"]);
});

test("of two at once, one is skipped", async (t) => {
  const made = await dead(t, 2);
  const deed = { kind: "hang" } as const;
  made.server.faults.plan([{ api: "b2_list_file_versions", deed }]);
  const first = made.start("prune", ["home"]);
  await until(async () => made.server.faults.pending() === 0, "a prune at work");
  const { stderr } = await made.expect(75, "prune", ["home"]);
  assert.match(stderr, /rclone-prune home/);
  await made.expect(75, "recover", ["--deleted-since", "1 day ago", "-n", "home"]);
  await made.expect(75, "cleanup", ["-n", "home", "f1"]);
  await made.expect(75, "rclone-backup", ["home"]);
  first.kill("SIGTERM");
  assert.equal((await first.done).code, 130);
  await made.expect(0, "prune", ["home"]);
  assert.deepEqual(made.versions(), ["live upload 1"]);
});

test("killed at any moment it leaves no deleted file visible, and a rerun ends it", async (t) => {
  const made = await dead(t, 60);
  const { server } = made;
  const deletions = (): number =>
    server.requests.filter(({ api }) => api === "b2_delete_file_version").length;
  for (const after of [7, 90]) {
    const live = made.start("prune", ["home"]);
    await until(async () => deletions() >= after, `${after} deletions`);
    live.killGroup("SIGKILL");
    await live.done;
    assert.deepEqual(visible(made), ["live"]);
  }
  const left = made.entries().length;
  assert.ok(left > 1 && left < 181, `${left} entries left`);
  const lines = await made.json("prune", ["home"]);
  assert.equal(dig(lines.at(-1), "removed", "versions"), left - 1);
  assert.deepEqual(made.versions(), ["live upload 1"]);
});

test("what isn't there is said, by the layer", async (t) => {
  const made = await historyWorld(t);
  made.present();
  const fails = async (destination: string, code: number, pattern: RegExp): Promise<void> => {
    await made.box.writeConfig(
      "x",
      `[default]\nsource = ${made.box.source}\ndestination = ${destination}\n`,
    );
    const { stderr } = await made.expect(code, "prune", ["x"]);
    assert.match(stderr, pattern);
  };
  await fails("nothing:data", 2, /nothing/);
  await fails(":local:/srv/data", 2, /expected a store that keeps old versions, found local/);
  await fails("cloud:no-such-bucket/x", 2, /expected a bucket named no-such-bucket, found none/);
  await made.server.close();
  await fails("cloud:bucket/x", 1, /./);
});
