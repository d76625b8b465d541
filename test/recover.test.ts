import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ago, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";
import { until } from "./helpers/backups.ts";
import { eitherRclone } from "./helpers/rclones.ts";

/** A backup over some days that ends with damage: what it was before and after. */
async function damaged(
  world: HistoryWorld,
): Promise<{ good: string[]; bad: string[]; at: string }> {
  const { past, write, remove } = world;
  await past(30, async () => {
    await write("docs/letter", "first");
    await write("docs/same", "same");
    await write("gone before", "gone");
    await write("new\nline [x]*", "nasty");
  });
  await past(20, async () => {
    await write("docs/letter", "second one");
    await remove("gone before");
  });
  const good = await world.listed();
  const at = new Date(ago(10)).toISOString();
  await past(5, async () => {
    await write("docs/letter", "ENCRYPTED");
    await write("docs/same", "ENCRYPTED TOO");
    await remove("new\nline [x]*");
    await write("README ransom", "pay");
  });
  await past(4, async () => write("gone before", "ENCRYPTED AS WELL"));
  world.present();
  return { good, bad: await world.listed(), at };
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`a roll-back makes all of it as it was, and is itself rolled back (${rclone.version})`, async (t) => {
    const world = await historyWorld(t, { rclone, kind: "crypt" });
    const { good, bad, at } = await damaged(world);
    const { server } = world;
    const before = server.versions().map(({ fileId }) => fileId);
    const asOf = ["--as-of", at, "home"];
    const dry = await world.expect(0, "recover", ["-n", ...asOf]);
    assert.match(
      dry.stdout,
      /would be done: 3 files to put back as they were, 2 files to mark as deleted/,
    );
    const refused = await world.expect(5, "recover", asOf);
    assert.match(refused.stderr, /expected --yes or a terminal to ask on, found neither/);
    assert.equal(refused.stdout.split("\n").length, 6);
    assert.deepEqual(
      server.versions().map(({ fileId }) => fileId),
      before,
    );
    await world.expect(0, "rclone-backup", ["-n", "home"]);

    const done = await world.expect(0, "recover", ["--yes", ...asOf]);
    assert.match(done.stdout, /^done for 5 of 5 files/);
    assert.match(done.stderr, /backups of home are paused until rclone-recover --resume home/);
    assert.deepEqual(await world.listed(), good);
    const after = new Set(server.versions().map(({ fileId }) => fileId));
    assert.deepEqual(
      before.filter((id) => !after.has(id)),
      [],
      "a version was deleted",
    );
    const paused = await world.expect(75, "rclone-backup", ["home"]);
    assert.match(
      paused.stderr,
      /home is paused: it was rolled back to .*\n.*rclone-recover --resume home/,
    );
    // It is as wished now, so nothing is left to do.
    const again = await world.expect(0, "recover", ["--yes", ...asOf]);
    assert.match(again.stdout, /^nothing to do/);

    const back = new Date(ago(2)).toISOString();
    await world.expect(0, "recover", ["--yes", "--as-of", back, "home"]);
    assert.deepEqual(await world.listed(), bad);
    await world.expect(0, "recover", ["--yes", ...asOf]);
    assert.deepEqual(await world.listed(), good);

    // The source is put right, and the next backup counts at the destination.
    await world.expect(0, "recover", ["--resume", "home"]);
    await world.expect(2, "recover", ["--resume", "home"]);
    const next = await world.json("rclone-backup", ["-n", "home"]);
    assert.match(JSON.stringify(next[0]), /"counted_from":"dry run"/);
  });
}

test("what was deleted since a time comes back, and what exists locally", async (t) => {
  const world = await historyWorld(t);
  const { past, write, remove, box, server } = world;
  await past(50, async () => {
    for (const name of ["early", "late/a", "late/b", "back again", "changed"])
      await write(name, name);
  });
  await past(40, async () => {
    for (const name of ["early", "back again"]) await remove(name);
  });
  await past(30, async () => write("back again", "is live"));
  await past(2, async () => {
    await remove("late");
    await write("changed", "changed since");
  });
  world.present();
  const versions = world.versions();
  const since = ["--deleted-since", "3 days ago", "home"];
  const dry = await world.json("recover", ["-n", ...since]);
  assert.deepEqual(
    dry
      .slice(0, -1)
      .map((line) => `${String(line["action"])} ${String(line["path"])}`)
      .toSorted(),
    ["undelete late/a", "undelete late/b"],
  );
  assert.deepEqual(world.versions(), versions);
  await world.expect(5, "recover", since);
  await world.expect(0, "recover", ["--yes", ...since]);
  const names = async (): Promise<string[]> =>
    (await world.listed()).map((line) => line.split(";")[0] ?? "");
  assert.deepEqual(await names(), ["back again", "changed", "late/a", "late/b"]);
  // The old marker of the live file stays: it says when that one was away.
  assert.deepEqual(
    versions.filter((line) => !world.versions().includes(line)),
    ["late/a hide", "late/b hide"],
  );
  assert.equal(server.versions().filter(({ action }) => action === "hide").length, 2);
  // It is no roll-back: backups go on, and count once at the destination.
  await write("late/a", "late/a");
  const next = await world.json("rclone-backup", ["-n", "home"]);
  assert.match(JSON.stringify(next[0]), /"counted_from":"dry run"/);

  const local = path.join(box.root, "local");
  await mkdir(path.join(local, "late"), { recursive: true });
  await writeFile(path.join(local, "early"), "");
  await writeFile(path.join(local, "never stored"), "");
  await world.expect(2, "recover", ["--yes", "--local", path.join(box.root, "no such"), "home"]);
  await world.expect(0, "recover", ["--yes", "--local", local, "home"]);
  assert.deepEqual(await names(), ["back again", "changed", "early", "late/a", "late/b"]);
});

test("killed at any moment, a roll-back goes on when it is run again", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  const { server, stored } = world;
  const count = 60;
  for (let at = 0; at < count; at += 1) {
    server.put(stored(`f${at}`), `good ${at}`, { at: ago(20), modifiedAt: ago(21) });
    server.put(stored(`f${at}`), "damaged", { at: ago(1), modifiedAt: ago(2) });
    server.put(stored(`ransom${at}`), "pay", { at: ago(1) });
  }
  // The store's clock is behind: what is put back seems older than it is.
  server.clock.set(Date.now() - 1000);
  server.clock.run();
  const ids = server.versions().map(({ fileId }) => fileId);
  const changes = (): number =>
    server.requests.filter(({ api }) => ["b2_copy_file", "b2_hide_file"].includes(api)).length;
  const at = new Date(ago(10)).toISOString();
  for (const after of [5, 80]) {
    const live = world.start("recover", ["--yes", "--as-of", at, "home"]);
    await until(async () => changes() >= after, `${after} changes`);
    live.killGroup("SIGKILL");
    await live.done;
    const { stderr } = await world.expect(75, "rclone-backup", ["home"]);
    assert.match(stderr, /which is not complete\n.*rclone-recover --as-of \S+ home goes on/);
    await world.expect(5, "recover", ["--resume", "home"]);
  }
  await world.expect(0, "recover", ["--yes", "--as-of", at, "home"]);
  // Nothing was done twice, but for what was under way at a kill.
  assert.ok(changes() <= 2 * count + 3 * 8, `${changes()} changes`);
  const now = new Map<string, string>();
  for (const { path: name, action, fileId } of world.entries().toReversed())
    if (action === "hide") now.delete(name);
    else now.set(name, server.content(fileId).toString());
  assert.deepEqual(
    [...now].map(([name, content]) => `${name} ${content}`).toSorted(),
    Array.from({ length: count }, (_, n) => `f${n} good ${n}`).toSorted(),
  );
  const left = new Set(server.versions().map(({ fileId }) => fileId));
  assert.ok(ids.every((id) => left.has(id)));
  await world.expect(0, "recover", ["--resume", "home"]);
});

test("what fails is told, and another run does it; --resume --yes leaves it so", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  const { server, stored } = world;
  for (const name of ["a", "b"]) {
    server.put(stored(name), "good", { at: ago(20) });
    server.put(stored(name), "damaged", { at: ago(1) });
  }
  world.present();
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  server.faults.plan([{ api: "b2_copy_file", times: 2, deed }]);
  const asOf = ["--yes", "--as-of", new Date(ago(10)).toISOString(), "home"];
  const failed = await world.expect(3, "recover", asOf);
  assert.match(failed.stderr, /2 files could not be recovered:\n/);
  await world.expect(5, "recover", ["--resume", "home"]);
  await world.expect(2, "recover", ["--resume", "-n", "home"]);
  await world.expect(0, "recover", asOf);
  assert.equal(world.entries().length, 6);
  await world.expect(0, "recover", ["--resume", "home"]);
  // The same again, and given up.
  server.faults.plan([{ api: "b2_copy_file", times: Infinity, deed }]);
  server.put(stored("a"), "damaged again");
  await world.expect(3, "recover", asOf);
  const lines = await world.json("recover", ["--resume", "--yes", "home"]);
  assert.deepEqual(lines, [
    { version: 1, kind: "resume", name: "home", outcome: "done", exit_code: 0 },
  ]);
});

test("a roll-back that finds nothing to change pauses the backup, too", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  await world.past(10, async () => world.write("a", "good"));
  world.present();
  await world.write("a", "ENCRYPTED");
  const asOf = ["--as-of", new Date(ago(5)).toISOString(), "home"];
  assert.match((await world.expect(0, "recover", ["-n", ...asOf])).stdout, /^nothing to do/);
  await world.expect(2, "recover", ["--resume", "home"]);
  const { stdout, stderr } = await world.expect(0, "recover", asOf);
  assert.match(stdout, /^nothing to do/);
  assert.match(stderr, /backups of home are paused until rclone-recover --resume home/);
  await world.expect(75, "rclone-backup", ["home"]);
  await world.expect(0, "recover", ["--resume", "home"]);
});

test("wishes that can't be meant are refused", async (t) => {
  const world = await historyWorld(t);
  await world.past(5, async () => world.write("a", "a"));
  world.present();
  const before = world.versions();
  const fails = async (code: number, args: readonly string[], pattern: RegExp): Promise<void> => {
    const { stderr } = await world.expect(code, "recover", ["--yes", ...args, "home"]);
    assert.match(stderr, pattern);
  };
  await fails(2, [], /expected one of --local, .*, found none/);
  await fails(2, ["--as-of", "today", "--local", "/"], /found --local and --as-of/);
  await fails(2, ["--as-of", "2099-01-01"], /expected a time in the past/);
  await fails(2, ["--as-of", "2026-03-29 02:30", "--time-zone", "Europe/Berlin"], /never/);
  await fails(1, ["--as-of", "100 days ago"], /expected files that were stored by \S+, found none/);
  await fails(2, ["--resume"], /expected a paused backup, found one that is not/);
  const keys = world.server.addKey({ capabilities: ["listBuckets", "listFiles"] });
  const env = world.server.rcloneEnv("cloud", keys);
  for (const [args, missing] of [
    [["--as-of", "1 hour ago"], /readFiles|writeFiles/],
    [["--deleted-since", "1 hour ago"], /deleteFiles/],
  ] as const) {
    const { stderr } = await world.expect(2, "recover", ["--yes", ...args, "home"], { env });
    assert.match(stderr, missing);
  }
  assert.deepEqual(world.versions(), before);
});
