import assert from "node:assert/strict";
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fillSource, replaceRclone, writeHome } from "./helpers/fault.ts";
import { compiled, projectRoot, run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* The command line as such: help, version, mistakes in options and in configurations. */

const cli = async (...args: string[]): ReturnType<typeof run> =>
  run(process.execPath, [compiled("rclone-backup"), ...args]);

test("--help tells options, exit codes and examples, without an rclone or a home", async () => {
  const { code, stdout, stderr } = await run(
    process.execPath,
    [compiled("rclone-backup"), "--help"],
    { env: { PATH: "/nowhere" } },
  );
  assert.equal(code, 0);
  assert.equal(stderr, "");
  for (const line of [
    "0 done",
    "1 failed",
    "2 wrong usage or configuration",
    "3 done in part: some files failed",
    "4 verification found a difference",
    "5 refused by a guard; nothing was changed",
    "75 another run holds the lock, or a condition said skip",
    "130 interrupted",
  ])
    assert.ok(stdout.replaceAll(/ +/g, " ").includes(`\n ${line}`), line);
  assert.match(stdout, /Examples:\n {2}rclone-backup home /);
  for (const option of ["--verify", "--dry-run", "--json", "--allow-refused-plan", "--color"])
    assert.ok(stdout.includes(option), option);
  assert.ok(
    stdout.split("\n").every((line) => line.length <= 80),
    "it fits a terminal of 80 columns",
  );
});

test("--version is the package's", async () => {
  const { code, stdout } = await cli("--version");
  const manifest: unknown = JSON.parse(
    await readFile(path.join(projectRoot, "package.json"), "utf8"),
  );
  assert.ok(typeof manifest === "object" && manifest !== null && "version" in manifest);
  assert.equal(code, 0);
  assert.equal(stdout, `${String(manifest.version)}\n`);
});

const wrongLines: readonly (readonly [string[], RegExp])[] = [
  [[], /expected the name or the file of a backup, found none/],
  [["--frobnicate", "home"], /unknown option '--frobnicate'/],
  [["--dry-runn", "home"], /unknown option '--dry-runn'\n\(Did you mean --dry-run\?\)/],
  [["home", "away"], /too many arguments/],
  [["--color", "blue", "home"], /'blue' is invalid.*Allowed choices are auto, always, never/],
  [["--seed", "x", "--verify", "all", "home"], /'x' is invalid.*Expected a whole number/],
  [["--ls", "--newest", "home"], /expected one of .*, found --ls and --newest/],
  [["--seed", "1", "home"], /expected --seed with --verify, found it without/],
  [["--ls", "--allow-refused-plan", "x", "home"], /expected --allow-refused-plan with a backup/],
  [["--set", "nonsense", "home"], /section\.key=value/],
  [["\u001B[31m"], /\\x1b\[31m/],
];

test("a wrong command line: 2, what is wrong, and nothing on stdout", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  for (const [args, expected] of wrongLines) {
    const { code, stdout, stderr } = await sandbox.backup(args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, expected);
    assert.match(stderr, /^rclone-backup: error: /);
    assert.ok(!stderr.includes("\u001B"));
  }
});

/** What stands in home.conf, and the place and the words of the message. */
const wrongConfigs: readonly (readonly [string | Buffer, string, RegExp])[] = [
  ["[default]\nsource = /s\ndestination = d:\n[defualt]\n", ":4:", /unknown section|defualt/],
  ["[default]\nsource = /s\nsuorce = /t\n", ":3:1", /suorce/],
  ["source = /s\n", ":1:1", /section/],
  ["[default]\nsource = /s\nsource = /t\ndestination = d:\n", ":3:1", /source/],
  ["[default]\nsource = /s\ndestination = d:\ncopy_links = maybe\n", ":4:14", /maybe/],
  ["[default]\nsource = /s\ndestination = d:\n[guards]\nmax_delete = 150%\n", ":5:14", /150%/],
  ["[default]\nsource = /s\ndestination = d:\n[filters]\n*.tmp\n", ":5:1", /\+ |- /],
  ["[default]\nsource = ${NOT_SET_ANYWHERE}\ndestination = d:\n", ":2:10", /NOT_SET_ANYWHERE/],
  ["[default]\ndestination = d:\n", "", /source/],
  ["[default]\nsource = /s\n", "", /destination/],
  ["[default]\nextends = home.conf\n", ":2:", /circle|itself/],
  [Buffer.from([0x5b, 0x00, 0xff, 0xfe, 0x0a]), "", /text|binary|UTF-8/],
];

test("a mistake in the configuration: 2 with file, line and column, and nothing ran", async (t) => {
  const sandbox = await makeSandbox(t);
  const calls = path.join(sandbox.root, "calls");
  await replaceRclone(sandbox, `echo "$@" >> '${calls}'; exec "$REAL" "$@"`);
  const file = path.join(sandbox.config, "home.conf");
  for (const [text, place, expected] of wrongConfigs) {
    await writeFile(file, text);
    for (const args of [["home"], ["--ls", "home"], ["--verify", "all", "home"], ["-n", file]]) {
      const { code, stdout, stderr } = await sandbox.backup(args);
      const shown = `${args.join(" ")} with ${JSON.stringify(text.toString())}:\n${stderr}`;
      assert.equal(code, 2, shown);
      assert.equal(stdout, "", shown);
      assert.ok(stderr.startsWith(`rclone-backup: error: ${file}${place}`), shown);
      assert.match(stderr, expected, shown);
    }
  }
  await assert.rejects(access(calls), "rclone was never started");
  assert.deepEqual(await readdir(sandbox.state), [], "no state was made");
});

test("a configuration that is not there or a directory: 2", async (t) => {
  const sandbox = await makeSandbox(t);
  const missing = await sandbox.backup(["nowhere"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /nowhere/);
  await mkdir(path.join(sandbox.config, "dir.conf"));
  const directory = await sandbox.backup(["dir"]);
  assert.equal(directory.code, 2);
  assert.match(directory.stderr, /dir\.conf.*directory/);
  const json = await sandbox.backup(["--json", "nowhere"]);
  assert.equal(json.code, 2);
  const document: unknown = JSON.parse(json.stdout);
  assert.ok(typeof document === "object" && document !== null);
  assert.ok("kind" in document && document.kind === "error");
  assert.ok("exit_code" in document && document.exit_code === 2);
});

test("--dryrun is --dry-run, and -v may be repeated", async (t) => {
  const sandbox = await makeSandbox(t);
  await writeHome(sandbox);
  await fillSource(sandbox, { a: 1 });
  const dry = await sandbox.backup(["--dryrun", "home"]);
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^add +1 a\nwould leave: 1 file /);
  const held = await sandbox.runRclone(["lsf", "secret:"]);
  assert.notEqual(held.code, 0, "nothing was made at the destination");
  const verbose = await sandbox.backup(["-vv", "home"]);
  assert.equal(verbose.code, 0, verbose.stderr);
  assert.match(verbose.stderr, /^rclone-backup: a: Copied/m);
  assert.match(verbose.stderr, /^rclone-backup: success: 1 file .* 1 new/m);
});
