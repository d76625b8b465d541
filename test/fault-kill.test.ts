import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { test } from "node:test";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../lib/verify/random.ts";
import { assertEqualEnds, fillSource, readState, writeHome } from "./helpers/fault.ts";
import { rclones } from "./helpers/rclones.ts";
import type { Live } from "./helpers/command.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/*
 * Pulls the plug at random moments: a run is killed with -9, alone or with all it started, and the
 * next one must make the destination equal to the source. In every other round the plug is pulled
 * once the record says that the destination is being changed. FAULT_SEED repeats a sequence, as far
 * as times can be repeated; FAULT_ROUNDS is how many each version gets.
 */

const seed = Number(process.env["FAULT_SEED"] ?? randomInt(2 ** 31));
const rounds = Number(process.env["FAULT_ROUNDS"] ?? 6);
const files = 40;

/** Changes a few files, and adds or deletes some; never so many that a guard is against it. */
async function change(sandbox: Sandbox, random: () => number): Promise<void> {
  for (let at = 0; at < 6; at += 1) {
    const name = `dir${Math.floor(random() * 4)}/file ${Math.floor(random() * files)}`;
    if (random() < 0.25) await rm(path.join(sandbox.source, name), { force: true });
    else await fillSource(sandbox, { [name]: Math.floor(random() ** 3 * 2_000_000) });
  }
}

/** Kills a process, and with `all` everything below it too, children first, so that none hears of it. */
async function pullThePlug(pid: number, all: boolean): Promise<void> {
  const victims = all ? [...(await below(pid)), pid] : [pid];
  for (const victim of victims) {
    try {
      process.kill(victim, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

async function below(pid: number): Promise<number[]> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [];
  }
  const children = text.trim().split(" ").filter(Boolean).map(Number);
  const deeper = await Promise.all(children.map(below));
  return [...deeper.flat(), ...children];
}

/** Waits until the record says that a run changes the destination, or the run has ended. */
async function changing(sandbox: Sandbox, live: Live): Promise<void> {
  while (live.child.exitCode === null && (await readState(sandbox))?.running !== true)
    await sleep(2);
}

async function countFiles(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

for (const rclone of rclones) {
  test(`kill -9 at any moment, and a rerun makes all right (${rclone.version})`, async (t) => {
    t.diagnostic(`FAULT_SEED=${seed}`);
    const random = seededRandom(seed);
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox);
    for (let at = 0; at < 20; at += 1)
      await fillSource(sandbox, { [`dir${at % 4}/file ${at}`]: at * 1000 });
    let longest = 1500;
    /** Kills by what the run was at: the record tells, for nobody cleans up after a kill. */
    const kills = { survey: 0, sync: 0 };
    for (let round = 0; round < rounds; round += 1) {
      await change(sandbox, random);
      const live = sandbox.startBackup(["home"]);
      if (round % 2 === 0) {
        await changing(sandbox, live);
        // At its beginning rclone starts, later it uploads and deletes. The first kill comes at once,
        // so that one is in time however fast the machine is.
        if (round > 0) await sleep((random() * longest) / 4);
      } else await sleep(random() * longest * 1.1);
      await pullThePlug(live.pid, random() < 0.5);
      const cut = await live.done;
      const during = (await readState(sandbox))?.running === true ? "sync" : "survey";
      if (cut.signal === "SIGKILL") kills[during] += 1;
      else assert.equal(cut.code, 0, `round ${round}: ${cut.stderr}`);

      const before = performance.now();
      const again = await sandbox.backup(["--json", "home"]);
      if (again.code === 0) longest = Math.min(performance.now() - before, 3000);
      const which = `round ${round}, seed ${seed}: ${again.stderr}`;
      assert.equal(again.code, 0, which);
      assert.equal(again.stderr, "", which);
      await assertEqualEnds(sandbox);
      const held = await countFiles(sandbox.source);
      const state = await readState(sandbox);
      assert.deepEqual(state, { trusted: true, running: false, held, last: "success" }, which);
    }
    t.diagnostic(
      `of ${rounds} runs ${kills.survey} were killed before or after the sync, ${kills.sync} in it`,
    );
    assert.ok(kills.sync > 0, `none was killed during the sync, seed ${seed}`);
    // What is left behind is cleared: no temporaries in the state, no scratch.
    const left = await readdir(sandbox.state, { recursive: true });
    assert.deepEqual(
      left.filter((name) => /scratch-/.test(name)),
      [],
    );
    // The manifest that all these runs left is what the destination holds.
    const last = await sandbox.backup(["-v", "home"]);
    assert.match(last.stderr, /0 new, 0 changed, 0 deleted/);
  });
}
