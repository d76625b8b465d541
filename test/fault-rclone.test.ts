import assert from "node:assert/strict";
import { chmod, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import {
  appears,
  assertEqualEnds,
  fillSource,
  gone,
  readState,
  replaceRclone,
  tellPid,
  writeHome,
} from "./helpers/fault.ts";
import { run } from "./helpers/command.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/* What is wrong with rclone itself, or with its configuration, is told as such. */

test("no rclone: 1, and how to get it", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await rm(path.join(sandbox.bin, "rclone"));
  // node is started by its path, so an empty PATH does for everything else.
  const missing = await sandbox.backup(["home"], { env: { PATH: sandbox.bin } });
  assert.equal(missing.code, 1);
  assert.equal(
    missing.stderr,
    "rclone-backup: error: rclone: expected a program rclone on the PATH, found none\n" +
      "rclone-backup: hint: install rclone (https://rclone.org/install/), or name it in [rclone] program\n",
  );
  await writeHome(sandbox, "[rclone]\nprogram = /nowhere/rclone\n");
  const named = await sandbox.backup(["home"]);
  assert.equal(named.code, 1);
  assert.match(named.stderr, /expected a program \/nowhere\/rclone, found none/);
});

test("an rclone that may not be executed: 1, and which file it is", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  const file = await replaceRclone(sandbox, "exit 0");
  await chmod(file, 0o644);
  const result = await sandbox.backup(["home"], { env: { PATH: sandbox.bin } });
  assert.equal(result.code, 1);
  assert.ok(result.stderr.includes(`found only a file that we may not execute: ${file}`));
});

test("an rclone that is no program: 1, and what came of it", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  const file = path.join(sandbox.bin, "rclone");
  await rm(file);
  await writeFile(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 0, 0]), { mode: 0o755 });
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 1, result.stderr);
  assert.match(
    result.stderr,
    /expected rclone to tell its version, found no output and exit code \d+: .+\n/,
  );
});

test("an rclone that is too old: 2, its version and the oldest that will do", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await replaceRclone(
    sandbox,
    'if [ "$1" = version ]; then echo "rclone v1.50.2"; else echo {}; fi',
  );
  const result = await sandbox.backup(["home"]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /expected rclone 1\.60\.0 or newer, found 1\.50\.2/);
  assert.match(result.stderr, /hint: install a newer rclone/);
});

test("an rclone that prints rubbish: 1, and what it printed, cut and harmless", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await replaceRclone(sandbox, "printf '\\033[31mrubbish%01000d\\n' 7; exit 0");
  const version = await sandbox.backup(["home"]);
  assert.equal(version.code, 1);
  assert.match(version.stderr, /expected rclone to tell its version, found “\\x1b\[31mrubbish0+”/);
  assert.ok(version.stderr.length < 500);

  await replaceRclone(
    sandbox,
    'case $1 in version) echo "rclone v1.70.0";; *) echo "no JSON, password=hunter2";; esac',
  );
  const dump = await sandbox.backup(["--json", "home"]);
  assert.equal(dump.code, 1);
  assert.match(dump.stderr, /rclone config dump: expected a JSON object, found something else/);
  assert.doesNotMatch(dump.stderr + dump.stdout, /hunter2/);
  const document: unknown = JSON.parse(dump.stdout);
  assert.ok(typeof document === "object" && document !== null && "exit_code" in document);
  assert.equal(document.exit_code, 1);

  await fillSource(sandbox, { a: 1 });
  await replaceRclone(
    sandbox,
    'case $1 in version) "$REAL" "$@";; config) "$REAL" "$@";; lsf) echo "no tabs here";; esac',
  );
  const listing = await sandbox.backup(["home"]);
  assert.equal(listing.code, 1);
  assert.match(listing.stderr, /listing: expected lines of path, size and time/);
});

test("an rclone that never ends, and SIGINT: 130, and it is gone", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  const pidFile = path.join(sandbox.root, "pid");
  await replaceRclone(sandbox, `${tellPid(pidFile)}; exec sleep 1000`);
  const live = sandbox.startBackup(["home"]);
  const pid = Number(await appears(pidFile));
  live.kill("SIGINT");
  const result = await live.done;
  assert.equal(result.code, 130, result.stderr);
  assert.match(result.stderr, /error: stopped by a signal/);
  await gone(pid);
});

for (const rclone of rclones) {
  test(`rclone killed in the middle of the sync: 1, and a rerun works (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await writeHome(sandbox, "[rclone]\nbwlimit = 512k\ntransfers = 1\n");
    await fillSource(sandbox, { small: 10, big: 3_000_000 });
    const pidFile = path.join(sandbox.root, "pid");
    await replaceRclone(
      sandbox,
      `if [ "$1" = sync ]; then ${tellPid(pidFile)}; fi; exec "$REAL" "$@"`,
    );
    const live = sandbox.startBackup(["home"]);
    const pid = Number(await appears(pidFile));
    process.kill(pid, "SIGKILL");
    const result = await live.done;
    assert.equal(result.code, 1, result.stderr);
    assert.match(
      result.stderr,
      /rclone sync: expected it to end by itself, found it ended by SIGKILL/,
    );
    assert.match(result.stderr, /hint: something outside killed rclone/);
    const state = await readState(sandbox);
    assert.deepEqual([state?.trusted, state?.running], [false, false]);
    await writeHome(sandbox);
    const again = await sandbox.backup(["home"]);
    assert.equal(again.code, 0, again.stderr);
    await assertEqualEnds(sandbox);
  });

  test(`rclone's configuration: missing, encrypted, and its password (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fillSource(sandbox, { a: 1 });
    await writeHome(sandbox, "[rclone]\nconfig = /nowhere/rclone.conf\n");
    const missing = await sandbox.backup(["home"]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /expected a file \/nowhere\/rclone\.conf, found none/);
    const flagged = await sandbox.backup(["--rclone-config", sandbox.root, "home"]);
    assert.equal(flagged.code, 2);
    assert.match(
      flagged.stderr,
      /rclone's configuration: expected a file .*, found something else/,
    );

    await encryptConfiguration(sandbox);
    await writeHome(sandbox);
    const without = await sandbox.backup(["home"]);
    assert.equal(without.code, 2, without.stderr);
    assert.match(without.stderr, /expected the password of the encrypted file, found none$/m);
    assert.match(without.stderr, /hint: set \[rclone\] password = file:PATH/);
    const wrong = await sandbox.backup(["home"], { env: { RCLONE_CONFIG_PASS: "wrong-guess" } });
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /encrypted file, found one that does not open it/);
    assert.doesNotMatch(wrong.stderr, /wrong-guess/);
    const right = await sandbox.backup(["home"], { env: { RCLONE_CONFIG_PASS: "open-sesame" } });
    assert.equal(right.code, 0, right.stderr);

    const passwordFile = path.join(sandbox.root, "password");
    await writeFile(passwordFile, "open-sesame\n", { mode: 0o600 });
    await writeHome(sandbox, `[rclone]\npassword = file:${passwordFile}\n`);
    const file = await sandbox.backup(["--verify", "all", "home"]);
    assert.equal(file.code, 0, file.stderr);
    await writeFile(passwordFile, "wrong-guess\n");
    const bad = await sandbox.backup(["home"]);
    assert.equal(bad.code, 2, bad.stderr);
    assert.match(bad.stderr, /encrypted file, found one that does not open it/);
  });

  test(`a remote that is not configured: 2, and those that are (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fillSource(sandbox, { a: 1 });
    await writeHome(sandbox, "", "sekret:x");
    const result = await sandbox.backup(["home"]);
    assert.equal(result.code, 2);
    assert.match(result.stderr, /remote sekret: expected a remote of rclone's configuration/);
    assert.match(result.stderr, /hint: configured remotes: plain, secret/);
  });
}

/** The format is the same for every version; only newer ones can be told without a dialogue. */
async function encryptConfiguration(sandbox: Sandbox): Promise<void> {
  const password = ["--password-command", "echo open-sesame"];
  const args = ["config", "encryption", "set", ...password, "--config", sandbox.rcloneConf];
  const { code, stdout, stderr } = await run(newRclone.path, args, { env: sandbox.env });
  assert.equal(code, 0, stdout + stderr);
}
