import assert from "node:assert/strict";
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { seededRandom } from "../lib/verify/random.ts";
import { simulate, type Simulation } from "./helpers/simulated.ts";

/*
 * Sixty nights, one after another by a clock of our own: files come, change and go, the machine is off
 * for some days, the store is away, stored files rot, state files are cut off. What counts: whatever
 * happens, every byte is read back within the promised number of nights, each damage is found, told and
 * mended, and the backup equals its source in the end. NIGHTS_SEED makes another sequence.
 */

const day = 86_400_000;
const seed = Number(process.env["NIGHTS_SEED"] ?? 20_260_131);
const budget = 300_000;
/** Larger than the budget of a day. */
const large = 700_000;

async function put(file: string, content: Buffer | string, time: number): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  await utimes(file, time / 1000, time / 1000);
}

/** Flips a bit of a stored file, and leaves its size and time as they were. */
async function rot(simulation: Simulation, random: () => number): Promise<boolean> {
  const top = path.join(simulation.box.store, "secret");
  const entries = await readdir(top, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const entry = files[Math.floor(random() * files.length)];
  if (entry === undefined) return false;
  const file = path.join(entry.parentPath, entry.name);
  const { atime, mtime, size } = await stat(file);
  const content = await readFile(file);
  // Behind the head, where content is.
  const at = 40 + Math.floor(random() * (size - 40));
  content[at] = (content[at] ?? 0) ^ 1;
  await writeFile(file, content);
  await utimes(file, atime, mtime);
  return true;
}

test("sixty nights with faults: all is read back in time, and what is damaged is found and mended", async (t) => {
  t.diagnostic(`NIGHTS_SEED=${seed}`);
  const random = seededRandom(seed);
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-nights-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const told = path.join(directory, "told");
  const simulation = await simulate(t, new Date("2026-01-31T02:00:00Z"), {
    VERIFY_BUDGET: String(budget),
    NOTIFY_COMMAND: `echo "$NOTICE_EVENT $NOTICE_BACKUP" >> ${told}`,
    NOTIFY_ON: "difference failure refused missed",
  });
  const { clock, sourceOf } = simulation;
  await simulation.addBackup("home");
  await simulation.addBackup("small", "[schedule]\ncron = 0 1 * * 0\ntime_zone = Europe/Berlin\n");
  const home = sourceOf("home");
  await put(path.join(home, "large"), Buffer.alloc(large, "L"), clock.now);
  for (let at = 0; at < 12; at += 1)
    await put(
      path.join(home, `dir${at % 3}/file${at}`),
      Buffer.alloc(20_000 + at, `${at}`),
      clock.now,
    );
  await put(path.join(sourceOf("small"), "a"), "a small one", clock.now);

  let damaged = 0;
  let found = 0;
  let smallRuns = 0;
  let serial = 0;
  const store = simulation.box.store;
  for (let night = 0; night < 60; night += 1) {
    const off = night === 20 ? 4 : 1;
    clock.now = Math.ceil(clock.now / day) * day + (off - 1) * day + 2 * 3_600_000;
    // Files of the source come, change and go. The large one stays.
    for (let change = 0; change < 2; change += 1) {
      const file = path.join(home, `dir${change}/file${Math.floor(random() * 14)}`);
      serial += 1;
      if (random() < 0.2) await rm(file, { force: true });
      else await put(file, Buffer.alloc(15_000 + serial, `${serial}`), clock.now);
    }
    const away = night === 15 || night === 33;
    if (away) await rename(store, `${store}.away`);
    if (night === 8 || night === 27 || night === 45)
      damaged += Number(await rot(simulation, random));
    if (night === 12) await truncate(path.join(await simulation.stateOf("home"), "ledger"), 30);
    if (night === 18) await writeFile(path.join(simulation.box.state, "suite/suite.json"), "{");
    if (night === 24)
      await appendFile(path.join(await simulation.stateOf("home"), "coverage.json"), "x");
    if (night === 30)
      await truncate(path.join(await simulation.stateOf("home"), "manifest.gz"), 50);
    if (night === 36) await writeFile(path.join(simulation.box.state, "suite/budget.json"), "");

    const result = await simulation.night();
    const which = `night ${night}, seed ${seed}: ${JSON.stringify(result)}`;
    if (away) {
      await rm(store, { recursive: true, force: true });
      await rename(`${store}.away`, store);
      assert.notEqual(result.outcome, "done", which);
      continue;
    }
    smallRuns += result.backups.filter(({ name }) => name === "small").length;
    const differing = result.backups
      .flatMap(({ verifications }) => verifications)
      .reduce((sum, { differences }) => sum + differences.length, 0);
    found += differing;
    // What differs is read twice before it is called so.
    const limit = differing === 0 ? budget : budget + large;
    assert.ok(result.verification.spent <= limit, which);
    assert.ok(["done", "difference"].includes(result.outcome), which);
    const { backups } = await simulation.status();
    for (const backup of backups) {
      const { verified } = backup;
      assert.ok(verified !== undefined && verified.uncoverable.files === 0, which);
      // 0.7 + 0.25 MB at 0.3 MB a day, and a night or two more for what changed meanwhile.
      if ("date" in verified.all)
        assert.ok(
          Date.parse(verified.all.date) - clock.now < 8 * day,
          `${which} ${verified.all.date}`,
        );
      else
        assert.ok(
          "since" in verified.all && clock.now - Date.parse(verified.all.since) < 16 * day,
          which,
        );
    }
  }

  // Whatever was damaged last is found, mended and proved by now, and nothing else was ever called so.
  const { backups, outcome } = await simulation.status();
  assert.equal(outcome, "done", JSON.stringify(backups));
  assert.ok(damaged > 0 && found <= damaged, `${found} of ${damaged} found, seed ${seed}`);
  const events = (await readFile(told, "utf8")).split("\n");
  if (found > 0)
    assert.ok(
      events.some((line) => line.startsWith("difference ")),
      events.join(),
    );
  assert.ok(events.includes("refused home"), events.join());
  // Once a week, and once for the one that was missed while the machine was off.
  assert.ok(smallRuns >= 8 && smallRuns <= 11, `${smallRuns} runs`);
  for (const name of ["home", "small"]) {
    const copy = path.join(simulation.box.root, `copy of ${name}`);
    const copied = await simulation.box.runRclone(["copy", `secret:${name}`, copy]);
    assert.equal(copied.code, 0, copied.stderr);
    const equal = await simulation.box.runRclone(["check", "--download", copy, sourceOf(name)]);
    assert.equal(equal.code, 0, equal.stderr);
  }
  t.diagnostic(`${damaged} damaged, ${found} found by verification, ${smallRuns} weekly runs`);
});
