import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as v from "valibot";
import { compiled, run, start } from "./helpers/command.ts";
import { burnDown, followSheet, suite, treeOf } from "./helpers/init.ts";
import { newRclone, oldRclone, rclones, type Rclone } from "./helpers/rclones.ts";
import { emptyPassword, makeSandbox, obscuredPassword, type Sandbox } from "./helpers/sandbox.ts";

// A backup is made from nothing, and comes back from nothing but a sheet of paper.

/** A sandbox whose source holds files, and what init is called with for it. */
async function machine(
  t: TestContext,
  rclone: Rclone = newRclone,
): Promise<Sandbox & { place: string; args: string[] }> {
  const box = await makeSandbox(t, rclone);
  const files = {
    "a b/c'd.txt": "quoted\n",
    "Grüße/äöü.txt": "umlauts\n",
    " space ": "outside\n",
    "$HOME`x`": "shell\n",
    empty: "",
    "big.bin": "0123456789abcdef".repeat(20_000),
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(box.source, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  await symlink("big.bin", path.join(box.source, "link"));
  const place = path.join(box.store, "it's here");
  return { ...box, place, args: ["init", "home", "--source", box.source, "--remote", place] };
}

for (const rclone of rclones)
  test(`everything comes back from the sheet and the store alone, with the ${rclone.version} rclone`, async (t) => {
    const box = await machine(t, rclone);
    const made = await suite(box, [...box.args, "--yes", "--schedule", "30 3 * * *"]);
    assert.equal(made.code, 0, made.stderr);
    const config = path.join(box.config, "home.conf");
    for (const file of [config, box.rcloneConf])
      assert.equal((await stat(file)).mode & 0o777, 0o600, file);
    const backup = await box.backup(["home"]);
    assert.equal(backup.code, 0, backup.stderr);
    assert.equal(backup.stderr, "");
    const verified = await box.backup(["--verify", "all", "home"]);
    assert.equal(verified.code, 0, verified.stderr);
    const before = await treeOf(box.source);
    await burnDown(box);

    const { home, result } = await followSheet(box, made.stdout);
    assert.equal(result.code, 0, `${result.stderr}${result.stdout}`);
    const restored = path.join(home, "recovery/restored/home");
    const after = await treeOf(restored);
    delete before["special-files.tar.gz"];
    delete after["special-files.tar.gz"];
    assert.ok(Object.keys(before).length >= 7);
    assert.deepEqual(after, before);
    assert.ok(!existsSync(path.join(home, "recovery/rclone.conf")), "the passwords are gone");
  });

test("a password of the sheet that is mistyped shows before anything is brought back", async (t) => {
  const box = await machine(t);
  const made = await suite(box, [...box.args, "--yes"]);
  assert.equal((await box.backup(["home"])).code, 0);
  const wrong = made.stdout.replaceAll(/'([a-z2-9]{5})(-[a-z2-9-]+)' \|/g, "'aaaaa$2' |");
  assert.notEqual(wrong, made.stdout);
  const { home, result } = await followSheet(box, wrong);
  assert.ok(!result.stdout.includes("home"), "step 4 prints no directory");
  assert.ok(!existsSync(path.join(home, "recovery/restored/home/empty")));
});

test("secrets are in no argument vector, and are told once", async (t) => {
  const box = await machine(t);
  const log = path.join(box.root, "calls");
  await rm(path.join(box.bin, "rclone"));
  await writeFile(
    path.join(box.bin, "rclone"),
    `#!/bin/sh\necho "$*" >>'${log}'\nexec '${newRclone.path}' "$@"\n`,
  );
  await chmod(path.join(box.bin, "rclone"), 0o755);
  const sheet = path.join(box.root, "sheet.txt");
  const made = await suite(box, [...box.args, "--yes", "--print-sheet", sheet]);
  assert.equal(made.code, 0, made.stderr);
  const [, password = "", salt = ""] =
    /^password ([\w-]+)\nsalt {5}([\w-]+)\n/m.exec(made.stdout) ?? [];
  assert.match(password, /^(?:[a-z2-9]{5}-){5}[a-z2-9]{5}$/);
  assert.notEqual(password, salt);
  assert.equal((await stat(sheet)).mode & 0o777, 0o600);
  const text = await readFile(sheet, "utf8");
  assert.ok(text.includes(`'${password}'`) && text.includes(`'${salt}'`));
  assert.ok(!made.stdout.includes("RECOVERY SHEET"), "it is in the file");
  const calls = await readFile(log, "utf8");
  const config = await readFile(box.rcloneConf, "utf8");
  const obscured = [...config.matchAll(/^password2? = (.+)$/gm)].map(([, value = ""]) => value);
  assert.equal(obscured.length, 3);
  for (const secret of [password, salt, ...obscured]) assert.ok(!calls.includes(secret));
  assert.ok(calls.includes("deletefile") && calls.includes("copyto"), calls);
  // An obscured password may begin with a dash.
  const ours = obscured.slice(1).map(async (value) => box.runRclone(["reveal", "--", value]));
  const revealed = (await Promise.all(ours)).map(({ stdout }) => stdout.trim());
  assert.deepEqual(revealed, [password, salt], "rclone reads what we obscure");
  assert.ok(config.startsWith("[secret]\ntype = crypt\n"), "what stood there stays");
});

test("a dry run tells all and writes nothing", async (t) => {
  const box = await machine(t);
  const before = await readFile(box.rcloneConf, "utf8");
  const { code, stdout, stderr } = await suite(box, [...box.args, "-n"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /home: .* to home-crypt:home\n/);
  assert.match(stdout, / {4}destination = home-crypt:home\n/);
  assert.match(stdout, / {4}kind = dir\n/);
  assert.deepEqual(await readdir(box.config), []);
  assert.deepEqual(await readdir(box.store), []);
  assert.equal(await readFile(box.rcloneConf, "utf8"), before);
});

test("nothing that exists is overwritten, and what can't be right is refused before a write", async (t) => {
  const box = await machine(t);
  const before = await readFile(box.rcloneConf, "utf8");
  const refuse = async (text: RegExp, args: readonly string[], code = 2): Promise<void> => {
    const result = await suite(box, args);
    assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
    assert.match(result.stderr, text);
    assert.equal(await readFile(box.rcloneConf, "utf8"), before);
  };
  const { args, source, place } = box;
  const yes = [...args, "--yes"];
  await refuse(/expected --yes or a terminal to ask on/, args, 5);
  await refuse(/expected --remote or a terminal to ask on/, args.slice(0, 4));
  const to = (remote: string, name = "home", from = source): string[] => [
    ...["init", name, "--source", from, "--remote", remote, "--yes"],
  ];
  await refuse(/expected a place outside the source, found it inside/, to(path.join(source, "in")));
  await refuse(
    /expected a directory .*nothing, found none \(ENOENT\)/,
    to(place, "home", "nothing"),
  );
  await refuse(/remote nowhere: expected a remote of rclone's configuration/, to("nowhere:x"));
  await refuse(/expected a directory or REMOTE:PATH, found a connection string/, to(":b2,key=x:y"));
  await refuse(/expected a name of letters/, to(place, "../home"));
  await refuse(/expected five fields/, [...yes, "--schedule", "daily"]);
  await mkdir(place);
  await writeFile(path.join(place, "other"), "x");
  await refuse(/expected an empty place, found files/, yes);
  await rm(place, { recursive: true });
  await writeFile(path.join(box.root, "sheet"), "x");
  await refuse(/--print-sheet: expected no file .*, found one/, [...yes, "--print-sheet", "sheet"]);
  await box.writeConfig("home", "[default]\n");
  await refuse(/expected no configuration .*home.conf, found one/, yes);
  assert.equal(await readFile(path.join(box.config, "home.conf"), "utf8"), "[default]\n");
  assert.deepEqual(await readdir(box.config), ["home.conf"]);
  assert.deepEqual(await readdir(box.store), []);
});

test("a remote of the name is not touched; an encrypted configuration can't be added to", async (t) => {
  const box = await machine(t);
  await writeFile(box.rcloneConf, "[home-crypt]\ntype = alias\nremote = /x\n");
  const taken = await suite(box, [...box.args, "--yes"]);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /remote home-crypt: expected no remote by this name, found one/);
  await writeFile(box.rcloneConf, "[other]\ntype = alias\nremote = /x\n");
  // Only newer versions can be told without a dialogue.
  const password = ["--password-command", "echo open-sesame"];
  const set = ["config", "encryption", "set", ...password, "--config", box.rcloneConf];
  assert.equal((await run(newRclone.path, set, { env: box.env })).code, 0);
  const encrypted = await readFile(box.rcloneConf, "utf8");
  const refused = await suite(box, [...box.args, "--yes"], {
    env: { RCLONE_CONFIG_PASS: "open-sesame" },
  });
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /expected one that a remote can be added to, found .* encrypted/);
  assert.equal(await readFile(box.rcloneConf, "utf8"), encrypted);
  assert.deepEqual(await readdir(box.config), []);
});

test("a configuration of one's own is made, and is named in the backup's", async (t) => {
  const box = await machine(t);
  const own = path.join(box.home, "new/rclone.conf");
  await mkdir(path.dirname(own));
  const made = await suite(box, [...box.args, "--yes", "--rclone-config", own]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(await readFile(own, "utf8"), /^\[home-crypt\]\n/);
  assert.equal((await stat(own)).mode & 0o777, 0o600);
  const config = await readFile(path.join(box.config, "home.conf"), "utf8");
  assert.ok(config.includes(`config = ${own}\n`));
  const backup = await box.backup(["home"]);
  assert.equal(backup.code, 0, backup.stderr);
});

test("a remote that encrypts is used as it is, and its password is on the sheet", async (t) => {
  const box = await machine(t, oldRclone);
  const empty = await readFile(box.rcloneConf, "utf8");
  const before = empty.replace(emptyPassword, obscuredPassword);
  await writeFile(box.rcloneConf, before);
  const args = [...box.args.slice(0, 4), "--remote", "secret:", "--yes"];
  const passwordFile = path.join(box.root, "password");
  await writeFile(passwordFile, "x\n");
  const refused = await suite(box, [...args, "--password-file", passwordFile]);
  assert.match(refused.stderr, /expected a remote to be made with it, found one that encrypts/);
  const made = await suite(box, args);
  assert.equal(made.code, 0, made.stderr);
  assert.equal(await readFile(box.rcloneConf, "utf8"), before);
  assert.match(
    made.stdout,
    /^password {3}correct horse battery staple {3}\(password of secret\)$/m,
  );
  const backup = await box.backup(["home"]);
  assert.equal(backup.code, 0, backup.stderr);
  await burnDown(box);
  const { home, result } = await followSheet(box, made.stdout);
  assert.equal(result.code, 0, result.stderr);
  assert.ok(existsSync(path.join(home, "recovery/restored/home/a b/c'd.txt")));
});

test("a password of one's own, with a salt", async (t) => {
  const box = await machine(t);
  const file = path.join(box.root, "password");
  await writeFile(file, " outer\n");
  const wrong = await suite(box, [...box.args, "--yes", "--password-file", file]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /expected one without spaces around it/);
  assert.ok(!wrong.stderr.includes("outer"));
  await writeFile(file, "it's $mine\npepper\n");
  const made = await suite(box, [...box.args, "--json", "--yes", "--password-file", file]);
  assert.equal(made.code, 0, made.stderr);
  const { sheet } = v.parse(
    v.object({ sheet: v.object({ text: v.string() }) }),
    JSON.parse(made.stdout),
  );
  assert.match(sheet.text, /^password {3}it's \$mine /m);
  assert.match(sheet.text, /^salt {7}pepper /m);
  const { home, result } = await followSheet(box, sheet.text.replaceAll(/^ {4}rclone.*$/gm, ""));
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(await readdir(path.join(home, "recovery")), []);
});

test("a destination that takes files and can't give or lose them again is told, and nothing is kept", async (t) => {
  const box = await machine(t);
  const log = await readFile(box.rcloneConf, "utf8");
  const fail = async (command: string, text: RegExp): Promise<void> => {
    await rm(path.join(box.bin, "rclone"));
    const double = `#!/bin/sh\ntest "$1" != ${command} || exit 9\nexec '${newRclone.path}' "$@"\n`;
    await writeFile(path.join(box.bin, "rclone"), double);
    await chmod(path.join(box.bin, "rclone"), 0o755);
    const { code, stderr } = await suite(box, [...box.args, "--yes", "--print-sheet", "sheet"]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, text);
    assert.ok(!existsSync(path.join(box.root, "sheet")));
    assert.deepEqual(await readdir(box.config), []);
    assert.equal(await readFile(box.rcloneConf, "utf8"), log);
    await rm(box.place, { recursive: true, force: true });
  };
  await fail("copyto", /expected to write a file, found rclone exit code 9/);
  await fail("cat", /expected to read a file/);
  await fail("deletefile", /expected to delete a file/);
});

test("on a terminal it asks for what was not given, and shows no password", async (t) => {
  const box = await machine(t);
  const script = path.join(box.root, "type.sh");
  // Each answer waits for its question; script(1) makes the terminal.
  const words = [process.execPath, compiled("rclone-backups"), "init"];
  await writeFile(script, `exec ${words.map((word) => `'${word}'`).join(" ")}\n`);
  const live = start("script", ["-q", "-e", "-c", `sh ${script}`, "/dev/null"], {
    cwd: box.root,
    env: { ...box.env, TERM: "xterm", SHELL: "/bin/sh" },
    typing: true,
  });
  const answer = async (question: RegExp, text: string): Promise<void> => {
    await live.waitFor(question);
    live.child.stdin?.write(`${text}\n`);
  };
  await answer(/What is backed up, a directory: /, "/no/such/directory");
  await answer(/found none \(ENOENT\)[^]*a directory: /, box.source);
  await answer(/The name of the backup \[src\]: /, "docs");
  await live.waitFor(/Remotes of rclone: plain: secret:/);
  await answer(/Where the encrypted files go, .*: /, "nowhere:");
  await answer(/expected a remote of rclone's configuration[^]*REMOTE:PATH: /, box.place);
  await answer(/A password to encrypt with .*: /, "hidden from view");
  await answer(/The same once more: /, "hidden from view");
  await answer(/When it runs, .*: /, "");
  await answer(/write all that\? \[yes\/no\] /, "yes");
  const { code, stdout } = await live.done;
  assert.equal(code, 0, stdout);
  const [asked = "", sheet = ""] = stdout.split("RECOVERY SHEET");
  assert.ok(!asked.includes("hidden"), asked);
  assert.match(sheet, /password {3}hidden from view /);
  assert.ok(existsSync(path.join(box.config, "docs.conf")));
  assert.equal((await box.backup(["docs"])).code, 0);
});
