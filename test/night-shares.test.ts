import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { simulate, type Simulation } from "./helpers/simulated.ts";

/* The budget of a day when the backups of the day come one after the other, as from a timer of every quarter hour. */

async function fill({ sourceOf }: Simulation, name: string, files: readonly number[]) {
  for (const [at, size] of files.entries())
    await writeFile(path.join(sourceOf(name), `file${at}`), Buffer.alloc(size, `${name}${at}`));
}

/** One `run --due`: what was read back of each backup. */
async function due(simulation: Simulation, time: string): Promise<Record<string, number>> {
  return readBy(simulation, time, true);
}

async function readBy(
  simulation: Simulation,
  time: string,
  onlyDue: boolean,
): Promise<Record<string, number>> {
  simulation.clock.now = Date.parse(time);
  const { outcome, backups } = await simulation.night(onlyDue);
  assert.equal(outcome, "done", JSON.stringify(backups));
  return Object.fromEntries(
    backups.map(({ name, verifications }) => [
      name,
      verifications.reduce((sum, { bytes }) => sum + bytes, 0),
    ]),
  );
}

test("the first of the day takes its share, the others have theirs, and the last what is left", async (t) => {
  const simulation = await simulate(t, new Date("2026-05-10T00:00:00Z"), {
    VERIFY_BUDGET: "100000",
  });
  for (const [name, hour] of [
    ["a", 1],
    ["b", 2],
  ] as const) {
    await simulation.addBackup(name, `[schedule]\ncron = 0 ${hour} * * *\ntime_zone = UTC\n`);
    await fill(simulation, name, [60_000, 60_000, 60_000]);
  }
  const own = "[schedule]\ncron = 0 3 * * *\ntime_zone = UTC\n[verify]\nbudget = 10000\n";
  await simulation.addBackup("own", own);
  await fill(simulation, "own", [60_000]);
  // All are due at once: they never ran.
  const first = await due(simulation, "2026-05-10T04:10:00Z");
  assert.deepEqual(first, { a: 45_000, b: 45_000, own: 10_000 });
  assert.deepEqual(await due(simulation, "2026-05-11T01:10:00Z"), { a: 45_000 });
  assert.deepEqual(await due(simulation, "2026-05-11T02:10:00Z"), { b: 45_000 });
  assert.deepEqual(await due(simulation, "2026-05-11T03:10:00Z"), { own: 10_000 });
  // All of a is read back by now, and what it leaves goes to b.
  await due(simulation, "2026-05-12T01:10:00Z");
  assert.ok(((await due(simulation, "2026-05-12T02:10:00Z"))["b"] ?? 0) >= 45_000);
});

test("fewer requests than backups need: they take turns, with a warning", async (t) => {
  const simulation = await simulate(t, new Date("2026-05-10T00:00:00Z"), {
    ...{ VERIFY_BUDGET: "1000000", VERIFY_TRANSACTIONS: "2" },
  });
  for (const name of ["a", "b"]) {
    await simulation.addBackup(name, "[schedule]\ncron = 0 1 * * *\ntime_zone = UTC\n");
    await fill(simulation, name, [10_000]);
  }
  const days: string[] = [];
  for (const day of [10, 11]) {
    const read = await due(simulation, `2026-05-${day}T02:00:00Z`);
    days.push(
      Object.keys(read)
        .filter((name) => (read[name] ?? 0) > 0)
        .join(" "),
    );
  }
  assert.deepEqual(days, ["a", "b"]);
  assert.match(simulation.warnings.join("\n"), /VERIFY_TRANSACTIONS to be at least 4.*found 2/);
});

test("a backup without a schedule has its share of a day whose first run was --due, while a daily run goes on", async (t) => {
  const simulation = await simulate(t, new Date("2026-05-10T00:00:00Z"), {
    VERIFY_BUDGET: "100000",
  });
  await simulation.addBackup("hourly", "[schedule]\ncron = 0 * * * *\ntime_zone = UTC\n");
  await simulation.addBackup("plain");
  const large = [60_000, 60_000, 60_000, 60_000, 60_000, 60_000];
  for (const name of ["hourly", "plain"]) await fill(simulation, name, large);
  // Nothing is known of a daily run yet.
  assert.deepEqual(await due(simulation, "2026-05-10T01:15:00Z"), { hourly: 100_000 });
  const daily = await readBy(simulation, "2026-05-10T03:00:00Z", false);
  assert.deepEqual(daily, { hourly: 0, plain: 0 });
  assert.deepEqual(await due(simulation, "2026-05-11T01:15:00Z"), { hourly: 50_000 });
  assert.deepEqual(await due(simulation, "2026-05-11T02:15:00Z"), { hourly: 0 });
  const later = await readBy(simulation, "2026-05-11T03:00:00Z", false);
  assert.deepEqual(later, { hourly: 0, plain: 50_000 });
  // The daily run was switched off, and after two days its shares are for the others.
  assert.deepEqual(await due(simulation, "2026-05-14T01:15:00Z"), { hourly: 100_000 });
});
