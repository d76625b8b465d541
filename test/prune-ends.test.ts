import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { until } from "./helpers/backups.ts";
import { day, dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";

/** What prune remembers of when versions ended, from one run to the next, on a real store. */

const start = Date.now();

/** Two files that changed four times a week ago. */
async function changed(t: TestContext): Promise<HistoryWorld> {
  const made = await historyWorld(t);
  made.present();
  await made.configure("[retention]\n/ = weeks\n[policies]\nweeks = 7 *\n");
  for (const name of ["a", "b"])
    for (const ago of [9, 8, 7.6, 7.4, 7.2])
      made.server.put(made.stored(name), Buffer.alloc(48 + 10 * ago), { at: start - ago * day });
  return made;
}

/** Plain bytes of the versions, the newest first. */
const whole = [72, 74, 76, 80, 90];

async function stateFile({ box }: HistoryWorld): Promise<string> {
  const parent = path.join(String(box.env["RCLONE_BACKUPS_STATE"]), "backups");
  const [directory = ""] = await readdir(parent);
  return path.join(parent, directory, "ends.gz");
}

/** How many days ago each remembered version ended. */
async function remembered(world: HistoryWorld): Promise<string[] | undefined> {
  const bytes = await readFile(await stateFile(world)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  return gunzipSync(bytes)
    .toString()
    .split("\n")
    .slice(2, -2)
    .map((line) => {
      const [name = "", , end] = line.split("\t");
      assert.ok([world.stored("a"), world.stored("b")].some((each) => each.endsWith(name)));
      return ((start - Number(end)) / day).toFixed(1);
    });
}

function sizes(world: HistoryWorld, name: string): number[] {
  return world
    .entries()
    .filter((entry) => entry.path === name)
    .map(({ contentLength }) => contentLength - 48);
}

test("killed at its first removal, prune has written down what the store will not tell", async (t) => {
  const made = await changed(t);
  assert.deepEqual(sizes(made, "a"), whole);
  await made.expect(0, "prune", ["-n", "home"]);
  assert.equal(await remembered(made), undefined);
  made.server.faults.plan([{ api: "b2_delete_file_version", deed: { kind: "hang" } }]);
  const live = made.start("prune", ["home"]);
  await until(async () => made.server.faults.pending() === 0, "a removal");
  assert.deepEqual(await remembered(made), ["8.0", "8.0"]);
  live.killGroup("SIGKILL");
  await live.done;
  const lines = await made.json("prune", ["home"]);
  assert.ok(Number(dig(lines.at(-1), "removed", "versions")) >= 1);
  for (const name of ["a", "b"]) assert.deepEqual(sizes(made, name), [72, 74, 90]);
  assert.deepEqual(await remembered(made), ["8.0", "8.0"]);
  const bytes = await readFile(await stateFile(made));
  const again = await made.expect(0, "prune", ["home"]);
  assert.deepEqual([again.stdout, again.stderr], ["", ""]);
  assert.deepEqual(await readFile(await stateFile(made)), bytes);
});

test("the oldest moves on by its true end; without the memory it is kept longer", async (t) => {
  const made = await changed(t);
  await made.expect(0, "prune", ["home"]);
  // In 6.5 days, it will have ended 14.5 days ago; by the store, 13.9 days ago.
  made.server.clock.set(start + 6.5 * day);
  const explained = async (): Promise<string | undefined> => {
    const { stdout } = await made.expect(0, "prune", ["--allow-clock", "--explain", "a", "home"]);
    return stdout.split("\n").find((line) => line.includes(" 90 ") || line.includes(" 138 "));
  };
  assert.match(
    (await explained()) ?? "",
    /^keep .*\(weeks, .*the only one from 14 to 21 days old\)$/,
  );
  await writeFile(await stateFile(made), "damaged");
  const { stdout, stderr } = await made.expect(0, "prune", ["--allow-clock", "-n", "home"]);
  assert.match(stderr, /warning: \S+ends\.gz: expected .* some are kept longer\n/);
  assert.doesNotMatch(stdout, /^remove/m);
  await made.expect(0, "prune", ["--allow-clock", "home"]);
  assert.deepEqual(await remembered(made), []);
  const after = await made.expect(0, "prune", ["--allow-clock", "home"]);
  assert.equal(after.stderr, "");
});

test("a restore to the time of a removed version takes the one before it, and tells", async (t) => {
  const made = await changed(t);
  await made.expect(0, "prune", ["home"]);
  // Two versions were there then that are gone: of 80 and of 76 bytes.
  const gone = new Date(start - 7.7 * day).toISOString();
  const told =
    /warning: 2 files: the version of that time is no longer kept, and the last one before it is taken: a, b; /;
  const to = path.join(made.box.root, "out");
  const { stderr } = await made.expect(0, "restore", ["home", "--as-of", gone, "--to", to, "-n"]);
  assert.match(stderr, told);
  const back = await made.expect(0, "recover", ["-n", "--as-of", gone, "home"]);
  assert.match(back.stderr, told);
  const kept = new Date(start - 8.5 * day).toISOString();
  assert.equal((await made.expect(0, "recover", ["-n", "--as-of", kept, "home"])).stderr, "");
});
