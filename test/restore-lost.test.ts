import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { lostSince, LostFiles } from "../lib/stores/dir/lost.ts";
import type { KnownRun, PathFacts, Told } from "../lib/stores/dir/timeline.ts";
import { rawFromText } from "../lib/units/rawpath.ts";
import { startB2 } from "./helpers/b2/server.ts";
import { makeBackup, type TestBackup } from "./helpers/backups.ts";
import { compiled, run as start } from "./helpers/command.ts";
import { newRclone } from "./helpers/rclones.ts";
import { restoreJson, runRestore } from "./helpers/restoring.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* Files that a backup left at the destination, and that somebody else has taken away. */

async function rclone(box: TestBackup, ...args: string[]): Promise<void> {
  const result = await box.runRclone(args);
  assert.equal(result.code, 0, result.stderr);
}

/** a has an old version, b and c have none; d was deleted. */
async function twoNights(t: Parameters<typeof makeBackup>[0]): Promise<TestBackup> {
  const settings = {
    default: { destination: "secret:data" },
    guards: { max_delete: "off", max_change: "off" },
    history: { kind: "dir" },
  };
  const files = { a: "1", "sub/b": "1", c: "1", d: "1" };
  const box = await makeBackup(t, newRclone, settings, files);
  await box.expect(0);
  await box.write({ a: "22" });
  await box.remove("d");
  await box.expect(0);
  return box;
}

test("dated directories: a file that vanished is a failure, wherever it is asked for", async (t) => {
  const box = await twoNights(t);
  const out = path.join(box.root, "out");
  const whole = await restoreJson(box, ["home", "--to", out]);
  assert.deepEqual([whole.restored.files, whole.failure_count], [3, 0]);
  await rclone(box, "deletefile", "secret:data/sub/b");
  const reason = /^expected at the destination what the backup of \S+Z left there, found nothing$/;
  const fails = async (args: readonly string[], restored: number): Promise<void> => {
    await rm(out, { recursive: true, force: true });
    const done = await restoreJson(box, ["home", ...args, "--to", out], { code: 3 });
    assert.deepEqual([done.restored.files, done.failure_count], [restored, 1], args.join(" "));
    assert.equal(done.failures[0]?.path, "sub/b");
    assert.match(done.failures[0]?.reason ?? "", reason);
    assert.equal(done.planned.files, restored + 1);
  };
  await fails([], 2);
  await fails(["sub"], 0);
  await fails(["sub/b", "c"], 1);
  await fails(["--as-of", "now"], 2);
  await fails(["-n"], 2);
  assert.equal((await restoreJson(box, ["home", "a", "c", "--to", out])).restored.files, 2);
  // On another machine only the store tells.
  await rm(path.join(box.state, "backups"), { recursive: true });
  await fails([], 2);
});

test("dated directories: what was removed on purpose isn't missed", async (t) => {
  const box = await twoNights(t);
  const purge = ["home", "c", "--purge", "--yes"];
  const options = { cwd: box.root, env: { ...box.env } };
  const purged = await start(process.execPath, [compiled("cleanup"), ...purge], options);
  assert.equal(purged.code, 0, purged.stderr);
  const out = path.join(box.root, "out");
  const told = await runRestore(box, ["home", "--to", out]);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stderr, /1 file: left at the destination by backups, and not there/);
  await box.remove("c");
  await box.expect(0);
  const later = await runRestore(box, ["home", "--to", out]);
  assert.deepEqual([later.code, later.stderr], [0, ""]);
});

test("dated directories: a destination that is away, or empty, is told as that", async (t) => {
  const box = await twoNights(t);
  await rclone(box, "moveto", "secret:data", "secret:away");
  const out = path.join(box.root, "out");
  const fails = async (expected: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await runRestore(box, ["home", ...args, "--to", out]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, expected);
    assert.doesNotMatch(stderr, /deleted by then/);
  };
  const away = /destination: expected 3 files as the last run left, found (no such directory|none)/;
  await fails(away);
  await fails(away, "--as-of", "now");
  await fails(away, "a");
  const old = await restoreJson(box, ["home", "--include-deleted", "--to", out], { code: 3 });
  assert.deepEqual([old.restored.files, old.failure_count], [2, 3]);
  await rm(path.join(box.state, "backups"), { recursive: true });
  await fails(away);
});

test("what the manifest names and the store lacks fails; what the store says was deleted doesn't", async (t) => {
  const server = await startB2(t);
  const bare = await makeSandbox(t, newRclone);
  const env = {
    ...bare.env,
    ...server.rcloneEnv("cloud"),
    RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
    RCLONE_CONFIG_HIDDEN_REMOTE: `cloud:${server.bucket}`,
    RCLONE_CONFIG_HIDDEN_PASSWORD: (await bare.runRclone(["obscure", "secret"])).stdout.trim(),
  };
  const base = { ...bare, env };
  const config = `[default]\nsource = ${base.source}\ndestination = hidden:data\n`;
  await base.writeConfig("b", config);
  const out = path.join(base.root, "out");
  const names = Array.from({ length: 6 }, (_, at) => `dir/f${at}`);
  await start("sh", ["-c", `mkdir dir; for f in ${names.join(" ")}; do echo $f >$f; done`], {
    cwd: base.source,
    env,
  });
  const backedUp = await base.backup(["b"], { env });
  assert.equal(backedUp.code, 0, backedUp.stderr);
  const hidden = await base.runRclone(["deletefile", "hidden:data/dir/f0"], { env });
  assert.equal(hidden.code, 0, hidden.stderr);
  const fine = await restoreJson(base, ["b", "--to", out]);
  assert.deepEqual([fine.restored.files, fine.failure_count], [5, 0]);
  // Gone with every version.
  const flags = ["--b2-hard-delete"];
  const gone = await base.runRclone(["deletefile", ...flags, "hidden:data/dir/f3"], { env });
  assert.equal(gone.code, 0, gone.stderr);
  const done = await restoreJson(base, ["b", "dir", "--to", out], { code: 3 });
  assert.deepEqual([done.already_there.files, done.failure_count], [4, 1]);
  assert.equal(done.failures[0]?.path, "dir/f3");
  assert.match(done.failures[0]?.reason ?? "", /the last backup left there, found nothing/);
});

const runs: readonly KnownRun[] = [0, 1, 2, 3].map((run) => ({
  ...{ id: `run${run}`, time: run + 100, uncertain: run === 3 },
}));

function facts(more: Partial<PathFacts>): PathFacts {
  return { path: rawFromText("f"), current: undefined, aside: [], told: [], ...more };
}

const told = (run: number, kind: Told["kind"], planned = false): Told => ({
  ...{ run, kind, size: 1, time: "", uncertain: false, planned },
});
const entry = { path: rawFromText("f"), size: 1, time: "" };

test("a file is lost when the last word of it is that it was there", () => {
  const cases: readonly (readonly [Partial<PathFacts>, number, number | undefined])[] = [
    [{ told: [told(0, "add")] }, 0, 100],
    [{ told: [told(0, "add"), told(1, "touch"), told(2, "held")] }, 2, 100],
    [{ told: [told(0, "add"), told(1, "change")] }, 0, 101],
    [{ told: [told(0, "add")], current: entry }, 0, undefined],
    // It was deleted, or is about to be, or lies aside, for whatever reason.
    [{ told: [told(0, "add"), told(1, "delete")] }, 0, undefined],
    [{ told: [told(0, "add"), told(2, "delete", true)], aside: [{ run: 2, entry }] }, 0, undefined],
    [{ told: [told(0, "add")], aside: [{ run: 1, entry }] }, 0, undefined],
    // Nobody saw that run's end.
    [{ told: [told(3, "add")] }, 0, undefined],
    [{ told: [told(2, "add", true)] }, 0, undefined],
    // A later run listed everything, and it was not among it.
    [{ told: [told(0, "add")] }, 1, undefined],
    [{}, 0, undefined],
  ];
  for (const [given, sure, since] of cases)
    assert.equal(lostSince(facts(given), runs, sure), since, JSON.stringify(given));
});

test("a store that writes names in another form has lost nothing", async (t) => {
  const box = await makeSandbox(t, newRclone);
  const lost = new LostFiles(path.join(box.root, "lost"));
  const composed = rawFromText("M\u00fcll");
  lost.see(facts({ path: rawFromText("Mu\u0308ll"), told: [told(0, "add")] }), runs, 0);
  lost.see(facts({ path: composed, current: { ...entry, path: composed } }), runs, 0);
  lost.see(facts({ path: rawFromText("gone"), told: [told(0, "add")] }), runs, 0);
  const found: string[] = [];
  for await (const page of lost.files()) found.push(...page.map((file) => file.path));
  assert.deepEqual(found, ["gone"]);
});
