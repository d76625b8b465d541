import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { FileHistory } from "../lib/history/history.ts";
import { histories } from "../lib/history/group.ts";
import { noTimes, seeTimes, timesAreLost } from "../lib/history/times.ts";
import { nothingSeen, see } from "../lib/jobs/recover/seen.ts";
import { plainNames } from "../lib/crypt/plainnames.ts";
import { onePage } from "../lib/manifest/pages.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { until } from "./helpers/backups.ts";
import { projectRoot, start } from "./helpers/command.ts";
import { ago, commands, historyWorld, type Commands } from "./helpers/historyworld.ts";

/** The state directory of the backup `home`. */
async function stateOf({ box }: Commands): Promise<string> {
  const parent = path.join(box.state, "backups");
  const name = (await readdir(parent)).find((each) => each.startsWith("home-")) ?? "";
  return path.join(parent, name);
}

test("a pause outlives a record that is damaged or lost", async (t) => {
  const world = await historyWorld(t);
  await world.past(20, async () => world.write("a", "good"));
  await world.past(5, async () => world.write("a", "ENCRYPTED"));
  world.present();
  await world.expect(0, "rclone-backup", ["home"]);
  const record = path.join(await stateOf(world), "state.json");
  const asOf = ["--yes", "--as-of", new Date(ago(10)).toISOString(), "home"];
  await world.expect(0, "recover", asOf);
  await writeFile(record, "{");
  assert.match((await world.expect(75, "rclone-backup", ["home"])).stderr, /home is paused/);
  await rm(record, { force: true });
  assert.match((await world.expect(75, "rclone-backup", ["home"])).stderr, /home is paused/);
  const paused = path.join(await stateOf(world), "paused.json");
  await writeFile(paused, "{");
  const { stderr } = await world.expect(1, "rclone-backup", ["home"]);
  assert.match(stderr, /found a damaged file\n.*--resume --yes/);
  await world.expect(1, "recover", ["--resume", "home"]);
  await world.expect(0, "recover", ["--resume", "--yes", "home"]);
  await world.expect(2, "recover", ["--resume", "home"]);
});

test("without a record a change writes none that would say the place is empty", async (t) => {
  const world = await historyWorld(t);
  for (const days of [20, 10]) await world.past(days, async () => world.write("a", `${days}`));
  world.present();
  await world.write("b", "b");
  await world.expect(0, "rclone-backup", ["home"]);
  const file = path.join(await stateOf(world), "state.json");
  const before = await readFile(file, "utf8");
  // By its location the backup keeps its name, and is only no longer trusted.
  await world.expect(0, "cleanup", ["--yes", "--purge", "hidden:data", "b"]);
  assert.match(before, /"trusted": true/);
  const expected: unknown = JSON.parse(before.replace('"trusted": true', '"trusted": false'));
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), expected);
  await writeFile(file, "{");
  await world.expect(0, "recover", ["--yes", "--deleted-since", "1 hour ago", "home"]);
  await world.expect(0, "recover", ["--yes", "--as-of", new Date(ago(15)).toISOString(), "home"]);
  assert.equal(await readFile(file, "utf8"), "{");
  await rm(file);
  await world.expect(0, "cleanup", ["--yes", "--purge", "home", "a"]);
  await assert.rejects(readFile(file), { code: "ENOENT" });
  // What was there is still known to the guard of the destination.
  await world.expect(0, "recover", ["--resume", "home"]);
  const { stderr } = await world.expect(5, "rclone-backup", ["home"]);
  assert.match(stderr, /destination/);
});

test("what was done before a signal or an error is told", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  const { server, stored } = world;
  for (let n = 0; n < 30; n += 1) {
    server.put(stored(`f${n}`), "good", { at: ago(20) });
    server.put(stored(`f${n}`), "damaged", { at: ago(1) });
  }
  world.present();
  server.faults.plan([{ api: "b2_copy_file", from: 10, times: Infinity, deed: { kind: "hang" } }]);
  const asOf = ["--yes", "--as-of", new Date(ago(10)).toISOString(), "home"];
  const live = world.start("recover", asOf);
  const copies = (): number => server.requests.filter(({ api }) => api === "b2_copy_file").length;
  await until(async () => copies() >= 17, "copies under way");
  live.kill("SIGTERM");
  const { code, stderr } = await live.done;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /9 files were recovered before the end: run again/);
  server.faults.clear();
  server.faults.plan([
    {
      ...{ api: "b2_delete_file_version", from: 2, times: Infinity },
      deed: { kind: "status", status: 403, code: "transaction_cap_exceeded" },
    },
  ]);
  server.put(stored("f0"), "again");
  server.put(stored("f0"), "and again");
  const stopped = await world.expect(1, "cleanup", ["--yes", "home", "f0"]);
  assert.match(stopped.stderr, /removed 1 version before the end: run again/);
});

test("--local takes a link for a file where the backup follows links", async (t) => {
  const world = await historyWorld(t);
  await world.past(20, async () => {
    for (const name of ["real", "linked", "nowhere", "other"]) await world.write(name, name);
  });
  await world.past(10, async () => {
    for (const name of ["real", "linked", "nowhere"]) await world.remove(name);
  });
  world.present();
  const local = path.join(world.box.root, "local");
  await mkdir(local);
  await writeFile(path.join(local, "real"), "");
  await symlink("real", path.join(local, "linked"));
  await symlink("not there", path.join(local, "nowhere"));
  const back = async (): Promise<string[]> =>
    (await world.json("recover", ["-n", "--local", local, "home"]))
      .slice(0, -1)
      .map((line) => String(line["path"]));
  assert.deepEqual(await back(), ["real"]);
  await world.configure("copy_links = yes\n");
  assert.deepEqual(
    (await back()).toSorted((a, b) => (a < b ? -1 : 1)),
    ["linked", "real"],
  );
});

test("a time before the history of dated directories is told", async (t) => {
  const world = await dated(t);
  const args = ["-n", "--as-of", "2001-02-03", "home"];
  const { stderr } = await world.expect(0, "recover", args);
  assert.match(stderr, /2 files are taken as the first run found them, \S+: the history doesn't/);
  const to = path.join(world.box.root, "to");
  const restored = await world.expect(0, "restore", [...args, "--to", to]);
  assert.match(restored.stderr, /2 files are taken as the first run found them/);
  const now = await world.expect(0, "recover", ["-n", "--as-of", "1 second ago", "home"]);
  assert.doesNotMatch(now.stderr, /are taken as/);
});

/** Files that were there before the first run, of which it replaced one. */
async function dated(t: TestContext): Promise<Commands> {
  const world = await commands(t, {
    destination: "secret:data",
    env: {},
    settings: "[history]\nkind = dir\n",
  });
  for (const name of ["a", "b"]) await world.write(name, name);
  await world.sync();
  await world.write("a", "changed");
  await world.expect(0, "rclone-backup", ["home"]);
  return world;
}

/** The history of one file whose versions came at these times, newest first. */
async function historyOf(...versions: readonly Partial<StoredVersion>[]): Promise<FileHistory> {
  const stored = versions.map((version, n): StoredVersion => ({
    ...{ name: rawFromText("f"), id: `${n}`, kind: "file", size: 1, storedAt: 0 },
    ...{ modifiedAt: 0, ...version },
  }));
  for await (const [file] of histories(onePage(stored), plainNames))
    if (file !== undefined) return file;
  throw new Error("no history");
}

function judge(file: FileHistory, time: number): boolean {
  const times = noTimes();
  seeTimes(times, file, time);
  return timesAreLost(times);
}

test("what a roll-back can't know for sure is counted", async () => {
  const seen = nothingSeen();
  const wish = { kind: "as-of", time: 15 } as const;
  see(seen, await historyOf({ storedAt: 20 }, { storedAt: 10, uncertain: true }), wish);
  see(seen, await historyOf({ storedAt: 20 }, { storedAt: 10 }), wish);
  assert.deepEqual([seen.there, seen.uncertain, timesAreLost(seen.times)], [2, 1, false]);
});

test("a store that stamps what was replaced with that time is recognised", async () => {
  const replaced = await historyOf({ storedAt: 20 }, { storedAt: 20 }, { storedAt: 10 });
  assert.equal(judge(replaced, 15), true);
  // Later than all of it, what is there now is right anyway.
  assert.equal(judge(replaced, 20), false);
  assert.equal(judge(await historyOf({ storedAt: 20 }, { storedAt: 10 }), 5), false);
});

test("a question that nobody answers lets go of the lock", async (t) => {
  const world = await historyWorld(t);
  const script = path.join(world.box.root, "ask.ts");
  await writeFile(
    script,
    `import { askYes } from ${JSON.stringify(path.join(projectRoot, "lib/output/ask.ts"))};
    askYes("go on?", "nothing is changed without either", new AbortController().signal, 300).then(
      (yes) => console.log("answered", yes),
      (error) => console.log(error.outcome, error.message),
    );`,
  );
  const tsx = path.join(projectRoot, "node_modules/tsx/dist/cli.mjs");
  const words = [process.execPath, tsx, script].join(" ");
  const live = start("script", ["-q", "-e", "-c", words, "/dev/null"], {
    cwd: world.box.root,
    env: { ...world.box.env, TERM: "dumb", SHELL: "/bin/sh" },
    typing: true,
  });
  const { code, stdout } = await live.done;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /refused expected an answer within .* found none: nothing is changed/);
});
