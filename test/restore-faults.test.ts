import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { startB2 } from "./helpers/b2/server.ts";
import { makeBackup } from "./helpers/backups.ts";
import { compiled } from "./helpers/command.ts";
import { inNamespace } from "./helpers/fault.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import {
  readTree,
  restoreDocument,
  restoreJson,
  runRestore,
  writeAt,
} from "./helpers/restoring.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* A disk or a network that goes away in the middle of a restore, and times that nobody is sure of. */

for (const rclone of rclones) {
  test(`the disk is full in the middle: told, no half file appears, and a rerun with room goes on (${rclone.version})`, async (t) => {
    const box = await makeBackup(t, rclone, {
      default: { destination: "secret:data" },
      history: { kind: "dir" },
    });
    for (let at = 0; at < 30; at += 1)
      await writeAt(
        box.source,
        `d${at % 4}/f${at}`,
        `${at}`.repeat(60_000),
        1_600_000_000_000 + at,
      );
    await box.expect(0);
    const [full, again] = await inNamespace(
      box,
      `CLI='${compiled("restore")}'
       mkdir "$ROOT/out"
       mount -t tmpfs -o size=2m,mode=0755 out "$ROOT/out"
       backup home --to "$ROOT/out"
       ls -A "$ROOT/out" >"$ROOT/left"
       test "$(find "$ROOT/out" -type f -not -path '*/.rclone-restore-*')" = ''
       mount -o remount,size=40m "$ROOT/out"
       backup home --json --to "$ROOT/out"
       diff -r "$SRC" "$ROOT/out"`,
    );
    assert.ok(full !== undefined && again !== undefined);
    assert.equal(full.code, 1, full.stderr);
    assert.match(full.stderr, /the disk is full/);
    assert.match(full.stderr, /hint: make room there and run the command again/);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /"restored":\{"files":30,/);
  });

  test(`the network goes in the middle of rclone's downloads: what it lacks is fetched by its id (${rclone.version})`, async (t) => {
    const server = await startB2(t);
    const bare = await makeSandbox(t, rclone);
    const env = { ...bare.env, ...server.rcloneEnv("cloud") };
    const box = { ...bare, env };
    const destination = `cloud:${server.bucket}/data`;
    await box.writeConfig(
      "b",
      `[default]\nsource = ${box.source}\ndestination = ${destination}\n[rclone]\nflags = --timeout 1s --low-level-retries 1\n`,
    );
    for (let at = 0; at < 5; at += 1)
      await writeAt(box.source, `f${at}`, `${at}`.repeat(40_000), 1_600_000_000_000 + at);
    const synced = await box.runRclone(["copy", box.source, destination], { env });
    assert.equal(synced.code, 0, synced.stderr);
    server.faults.plan([
      {
        ...{ api: "b2_download_file_by_name", from: 2, times: Infinity },
        deed: { kind: "stall", bytes: 20_000 },
      },
    ]);
    const out = path.join(box.root, "out");
    const done = await restoreJson(box, ["b", "--to", out]);
    assert.deepEqual([done.restored.files, done.failure_count], [5, 0]);
    assert.deepEqual(await readTree(out), await readTree(box.source));
    assert.deepEqual((await readdir(out)).length, 5);
  });
}

test("another file system below the target is written to, and a directory that can't be is one file's matter", async (t) => {
  const settings = { default: { destination: "secret:data" }, history: { kind: "dir" } };
  const box = await makeBackup(t, newRclone, settings);
  const names = ["top", "sub/a", "sub/deep/b", "shut/c", "new/d"];
  for (const [at, name] of names.entries())
    await writeAt(box.source, name, name.repeat(1000), 1_600_000_000_999 + at);
  await box.expect(0);
  const ended = await inNamespace(
    box,
    `CLI='${compiled("restore")}'
     printf '#!/bin/sh\nexec setpriv --bounding-set=-all --inh-caps=-all "%s" "$@"\n' "$NODE" >"$ROOT/bare"
     chmod 755 "$ROOT/bare"
     NODE="$ROOT/bare"
     mkdir -p "$ROOT/out/sub" "$ROOT/out/shut"
     chmod 0 "$ROOT/out/shut"
     mount -t tmpfs -o size=40m,mode=0755 out "$ROOT/out/sub"
     backup home --json --to "$ROOT/out"
     backup home --json --to "$ROOT/out"
     chmod 755 "$ROOT/out/shut"
     backup home --json --to "$ROOT/out"
     diff -r "$SRC" "$ROOT/out"
     cp -a "$ROOT/out/sub" "$ROOT/copied"`,
  );
  const told = ended.map(({ code, stdout }) => {
    const { restored, already_there, failures } = restoreDocument(stdout);
    const failed = failures.map(({ path: name }) => name);
    for (const { reason } of failures) assert.match(reason, /^expected a place .* \(EACCES\)$/);
    return [code, restored.files, already_there.files, ...failed];
  });
  assert.deepEqual(told, [
    [3, 4, 0, "shut/c"],
    [3, 0, 4, "shut/c"],
    [0, 1, 4],
  ]);
  const there = [...(await readTree(path.join(box.root, "copied")))];
  const expected = [...(await readTree(path.join(box.source, "sub")))];
  assert.deepEqual(there, expected);
});

test("what the store isn't sure of is told by --list --as-of as by a restore", async (t) => {
  const destination = "secret:data";
  const box = await makeBackup(
    t,
    newRclone,
    { default: { destination } },
    { old: "1", young: "1" },
  );
  await box.expect(0);
  const before = new Date().toISOString();
  await box.configure({ default: { destination }, history: { kind: "dir" } });
  await box.write({ old: "22" });
  await box.expect(0);
  await box.write({ young: "22", fresh: "1" });
  await box.expect(0);
  const told = async (...args: string[]): Promise<string[]> => {
    const { code, stderr } = await runRestore(box, ["home", ...args]);
    assert.equal(code, 0, stderr);
    return stderr.trimEnd().split("\n");
  };
  const out = path.join(box.root, "out");
  const listed = await told("--list", "--as-of", before);
  assert.match(listed.join("\n"), /2 files are taken as the first run found them/);
  assert.deepEqual(listed, await told("-n", "--as-of", before, "--to", out));
  // A run of which only the intent is left.
  const history = ["delete", `${destination}.history`, "--include", "*.outcome.gz"];
  const removed = await box.runRclone(history);
  assert.equal(removed.code, 0, removed.stderr);
  const now = new Date().toISOString();
  const unsure = (await told("--list", "--as-of", now)).join("\n");
  assert.match(unsure, /the store can't say for sure that this was the version of that time/);
  assert.match(unsure, /--list without --as-of shows every version/);
  assert.deepEqual(await told("--list"), [""], "every version is no matter of a time");
});
