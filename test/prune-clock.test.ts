import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { checkClock, doubtAt, timesOf, timesOfRuns } from "../lib/jobs/prune/clock.ts";
import { ago, commands, type Commands } from "./helpers/historyworld.ts";

/* A clock that is ahead makes every version look old, and from its second run on it looks right. */

const noDoubt = { last: undefined, doubt: undefined };
/** The same of a record. */
const unknown = { ...noDoubt, believed: undefined };
const at = (days: number): Date => new Date(Date.UTC(2026, 0, 1 + days));
const text = (days: number): string => at(days).toISOString();

test("a jump is remembered until the clock is back before where it led to", () => {
  assert.equal(doubtAt(at(0), noDoubt), undefined);
  assert.equal(doubtAt(at(30), { last: text(0), doubt: undefined }), undefined);
  const doubt = { from: text(0), to: text(31) };
  assert.deepEqual(doubtAt(at(31), { last: text(0), doubt: undefined }), doubt);
  // The clock stays ahead: the last run looks right.
  for (const days of [31, 32, 500])
    assert.deepEqual(doubtAt(at(days), { last: text(days - 1), doubt }), doubt);
  // It is back.
  assert.equal(doubtAt(at(1), { last: text(500), doubt }), undefined);
  const far = { from: text(0), to: text(3650) };
  assert.deepEqual(doubtAt(at(40), { last: text(3650), doubt: far }), {
    from: text(0),
    to: text(40),
  });
});

test("what was said to be right once is no jump to the next run, and a later jump is one", () => {
  const times = { last: text(0), doubt: undefined, believed: text(40) };
  assert.equal(doubtAt(at(41), times), undefined);
  checkClock(at(41), undefined, times);
  assert.deepEqual(doubtAt(at(71), times), { from: text(40), to: text(71) });
  assert.throws(() => checkClock(at(71), undefined, times), /since the last run/);
  // It was wrong: the clock is back.
  assert.equal(doubtAt(at(20), times), undefined);
  assert.deepEqual(doubtAt(at(35), times), { from: text(0), to: text(35) });
  // A newer run counts.
  assert.equal(doubtAt(at(79), { ...times, last: text(50) }), undefined);
});

test("it is refused where the store has no clock of its own", () => {
  const times = { last: text(32), doubt: { from: text(0), to: text(31) } };
  assert.throws(() => checkClock(at(33), undefined, times), /expected at most 30 days between two/);
  checkClock(at(33), at(33), times);
  checkClock(at(33), undefined, { ...times, doubt: undefined });
  assert.deepEqual(timesOf(undefined), unknown);
  assert.deepEqual(timesOfRuns([]), noDoubt);
  const runs = [{ startedAt: at(1).getTime() }, { startedAt: at(2).getTime() }];
  assert.deepEqual(timesOfRuns(runs), { last: text(2), doubt: undefined });
});

const settings = "[history]\nkind = dir\nprune = yes\n[retention]\n/ = none\n";

/** Dated directories with a superseded version. */
async function superseded(t: TestContext): Promise<Commands> {
  const world = await commands(t, { destination: "secret:data", env: {}, settings });
  const keep = ["--set", "history.prune=no", "home"];
  for (const content of ["once", "twice"]) {
    await world.write("a", content);
    await world.expect(0, "rclone-backup", keep);
  }
  return world;
}

async function stateFile({ box }: Commands): Promise<string> {
  const parent = path.join(box.state, "backups");
  const name = (await readdir(parent)).find((each) => each.startsWith("home-")) ?? "";
  return path.join(parent, name, "state.json");
}

async function versions(world: Commands): Promise<number> {
  const lines = await world.json("prune", ["--allow-clock", "--explain", "a", "home"]);
  return lines.filter(({ kind }) => kind === "decision").length;
}

test("one night under a clock that is ahead does not make the next one look right", async (t) => {
  const world = await superseded(t);
  const file = await stateFile(world);
  const state = await readFile(file, "utf8");
  const old = new Date(ago(40)).toISOString();
  await writeFile(file, state.replaceAll(/"finishedAt": "[^"]*"/g, `"finishedAt": "${old}"`));
  const first = await world.expect(0, "rclone-backup", ["home"]);
  assert.match(first.stderr, /prune: clock: expected at most 30 days since the last run/);
  for (let night = 0; night < 2; night += 1) {
    const { stderr } = await world.expect(0, "rclone-backup", ["home"]);
    assert.match(stderr, /prune: clock: expected at most 30 days between two runs, found one of/);
  }
  const { stderr } = await world.expect(5, "prune", ["home"]);
  assert.match(stderr, /clock: expected at most 30 days between two runs.*\n.*--allow-clock/);
  assert.equal(await versions(world), 2);
  // Telling what would go believes nothing.
  await world.expect(0, "prune", ["-n", "--allow-clock", "home"]);
  await world.expect(5, "prune", ["home"]);
  await world.expect(0, "prune", ["--allow-clock", "home"]);
  assert.equal(await versions(world), 1);
  const { stderr: told } = await world.expect(0, "rclone-backup", ["home"]);
  assert.equal(told, "");
});

test("a clock believed before the first backup after a pause is believed after it", async (t) => {
  const world = await superseded(t);
  const file = await stateFile(world);
  const state = await readFile(file, "utf8");
  const old = new Date(ago(40)).toISOString();
  await writeFile(file, state.replaceAll(/"finishedAt": "[^"]*"/g, `"finishedAt": "${old}"`));
  await world.expect(5, "prune", ["home"]);
  await world.expect(0, "prune", ["--allow-clock", "home"]);
  await world.expect(0, "prune", ["home"]);
  const { stderr } = await world.expect(0, "rclone-backup", ["home"]);
  assert.equal(stderr, "");
  await world.expect(0, "prune", ["home"]);
});

test("without a record the dated directories tell when the last run was", async (t) => {
  const world = await superseded(t);
  const { box } = world;
  const { stdout } = await box.runRclone(["lsf", "secret:data.history"], { env: box.env });
  const stamp = new Date(ago(40)).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  for (const name of stdout.split("\n").filter((line) => line !== "")) {
    const from = `secret:data.history/${name.replace(/\/$/, "")}`;
    const moved = await box.runRclone(["moveto", from, from.replace(/\d{8}T\d{6}Z/, stamp)], {
      env: box.env,
    });
    assert.equal(moved.code, 0, moved.stderr);
  }
  const file = await stateFile(world);
  await rm(file);
  const { stderr } = await world.expect(5, "prune", ["home"]);
  assert.match(stderr, /clock: expected at most 30 days since the last run, \S+, found 40 days/);
  for (let night = 0; night < 2; night += 1) {
    const told = await world.expect(0, "rclone-backup", ["home"]);
    assert.match(told.stderr, /prune: clock: expected at most 30 days/);
  }
  assert.equal(await versions(world), 2);
});
