import assert from "node:assert/strict";
import { chmod, rm, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { backupOnTerminal, controlsIn } from "./helpers/fault-pty.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";

/*
 * File names may hold anything but NUL and a slash. Each is backed up, verified, listed and told,
 * and none of them reaches a terminal as more than text.
 */

const names: readonly Buffer[] = [
  ...[
    "new\nline",
    "tab\there",
    "\u001B[31mred\u001B[0m",
    "\u001B]0;title\u0007",
    "\rback",
    `both "quotes' and \`ticks\``,
    "-leading-dash",
    "--delete-before",
    " leading space",
    "trailing space ",
    "glob*?[x]{y}",
    "# hash",
    "; semicolon",
    "- rule",
    "$(touch pwned)",
    "caf\u00e9",
    "cafe\u0301",
    "\u202Egnp.exe",
    "\u0085next line",
    "\u240A picture",
    "l".repeat(143),
  ].map((name) => Buffer.from(name)),
  Buffer.from("bad\xff\xfebytes", "latin1"),
  Buffer.from("cut\xc3", "latin1"),
];

function fileIn(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name]);
}

async function fill(sandbox: Sandbox): Promise<void> {
  for (const name of names) await writeFile(fileIn(sandbox.source, name), name);
}

async function config(sandbox: Sandbox, destination = "secret:"): Promise<void> {
  await sandbox.writeConfig(
    "names",
    `[default]\nsource = ${sandbox.source}\ndestination = ${destination}\n`,
  );
}

interface Listed {
  readonly path: string;
  readonly path_base64?: string;
}

function ndjson(text: string): Listed[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line): Listed => {
      const value: unknown = JSON.parse(line);
      assert.ok(typeof value === "object" && value !== null && "path" in value);
      assert.ok(typeof value.path === "string");
      const base64 = "path_base64" in value ? value.path_base64 : undefined;
      return { path: value.path, ...(typeof base64 === "string" ? { path_base64: base64 } : {}) };
    });
}

for (const rclone of rclones) {
  test(`any name is backed up and verified (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fill(sandbox);
    await config(sandbox);
    const first = await sandbox.backup(["names"]);
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stderr + first.stdout, "");
    const verified = await sandbox.backup(["--verify", "all", "--json", "names"]);
    assert.equal(verified.code, 0, verified.stderr);
    const document: unknown = JSON.parse(verified.stdout);
    assert.ok(typeof document === "object" && document !== null && "verified" in document);
    assert.deepEqual(document.verified, {
      files: names.length,
      bytes: names.reduce((sum, { length }) => sum + length, 0),
    });
    // Without us: rclone reads everything back.
    const check = ["check", "--download", "--no-unicode-normalization", sandbox.source, "secret:"];
    const checked = await sandbox.runRclone(check);
    assert.equal(checked.code, 0, checked.stderr);
    assert.match(checked.stderr, new RegExp(`${names.length} matching files`));
    const cat = await sandbox.runRclone(["cat", "secret:"]);
    assert.equal(
      cat.stdoutBytes.length,
      names.reduce((sum, { length }) => sum + length, 0),
    );

    // Nothing changed, so nothing is done; and each one is deleted when it goes.
    const again = await sandbox.backup(["-v", "names"]);
    assert.match(again.stderr, /success: .* 0 new, 0 changed, 0 deleted/);
    for (const name of names.slice(0, 5)) await rm(fileIn(sandbox.source, name));
    const bad = names.at(-2);
    assert.ok(bad !== undefined);
    await rm(fileIn(sandbox.source, bad));
    const less = await sandbox.backup(["-v", "names"]);
    assert.match(less.stderr, /success: .* 0 new, 0 changed, 6 deleted/);
    const still = await sandbox.backup(["-v", "names"]);
    assert.match(still.stderr, /success: .* 0 new, 0 changed, 0 deleted/);
  });

  test(`any name is listed: as it is into a pipe, escaped on a terminal (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fill(sandbox);
    await config(sandbox);
    const listed = await sandbox.backup(["--ls", "names"]);
    assert.equal(listed.code, 0, listed.stderr);
    const lines = listed.stdoutBytes.toString("latin1").trimEnd().split("\n");
    assert.equal(lines.length, names.length, "one line a file, newlines in names or not");
    assert.ok(lines.some((line) => line.endsWith("bad\xff\xfebytes")));
    assert.ok(lines.some((line) => line.endsWith("trailing space ")));
    const own = await sandbox.runRclone([
      "lsf",
      "-R",
      "--no-unicode-normalization",
      sandbox.source,
    ]);
    assert.deepEqual(
      lines.map((line) => line.slice(10)).toSorted(),
      own.stdoutBytes.toString("latin1").trimEnd().split("\n").toSorted(),
      "the names that rclone lists",
    );
    const shown = await backupOnTerminal(sandbox, ["--ls", "names"]);
    assert.equal(shown.code, 0, shown.stdout);
    assert.deepEqual(controlsIn(shown.stdout), []);
    assert.ok(shown.stdout.includes("\\u202egnp.exe"), shown.stdout);
    assert.ok(shown.stdout.includes("\\x85next line"));

    const json = await sandbox.backup(["--ls", "--json", "names"]);
    const entries = ndjson(json.stdout);
    assert.equal(entries.length, names.length);
    const coded = entries.flatMap(({ path_base64: base64 }) =>
      base64 === undefined ? [] : [Buffer.from(base64, "base64").toString("latin1")],
    );
    assert.deepEqual(coded.toSorted(), ["bad\xff\xfebytes", "cut\xc3"]);
  });

  test(`failures tell any name on one line each (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fill(sandbox);
    await config(sandbox);
    const barred = ["new\nline", "\u001B[31mred\u001B[0m", "\u202Egnp.exe"].map((name) =>
      Buffer.from(name),
    );
    const bad = Buffer.from("bad\xff\xfebytes", "latin1");
    for (const name of [...barred, bad]) await chmod(fileIn(sandbox.source, name), 0);
    const shown = await backupOnTerminal(sandbox, ["names"], { unprivileged: true });
    assert.equal(shown.code, 3, shown.stdout);
    assert.deepEqual(controlsIn(shown.stdout), []);
    const told = shown.stdout.split(/\r?\n/).filter((line) => /permission denied/.test(line));
    assert.equal(told.length, 4, shown.stdout);
    const json = await sandbox.backup(["--json", "names"], { unprivileged: true });
    assert.equal(json.code, 3, json.stderr);
    const document: unknown = JSON.parse(json.stdout);
    assert.ok(typeof document === "object" && document !== null && "failures" in document);
    assert.ok(Array.isArray(document.failures));
    const failures: unknown[] = document.failures;
    assert.equal(failures.length, 4);
    const coded = failures.flatMap((failure) =>
      typeof failure === "object" &&
      failure !== null &&
      "path_base64" in failure &&
      typeof failure.path_base64 === "string"
        ? [Buffer.from(failure.path_base64, "base64").toString("latin1")]
        : [],
    );
    assert.deepEqual(coded, ["bad\xff\xfebytes"]);
    // As soon as they can be read, all is well.
    for (const name of [...barred, bad]) await chmod(fileIn(sandbox.source, name), 0o600);
    const good = await sandbox.backup(["names"], { unprivileged: true });
    assert.equal(good.code, 0, good.stderr);
  });

  test(`a name that rclone can't open is told, the rest is backed up (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    // rclone doubles its own quoting character and then looks for the doubled one.
    await writeFile(`${sandbox.source}/\u201B`, "x");
    await writeFile(`${sandbox.source}/other`, "x");
    await config(sandbox);
    const result = await sandbox.backup(["names"]);
    assert.equal(result.code, 3, result.stderr);
    assert.match(result.stderr, /1 file or directory failed, the rest is backed up/);
    assert.match(result.stderr, /^ +\u201B\u201B: .*no such file/m);
    const held = await sandbox.runRclone(["lsf", "secret:"]);
    assert.equal(held.stdout, "other\n");
  });

  test(`the newest file is told whatever its name and time (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fill(sandbox);
    await config(sandbox);
    const old = new Date("2001-02-03T04:05:06Z");
    for (const name of names) await utimes(fileIn(sandbox.source, name), old, old);
    const bad = fileIn(sandbox.source, Buffer.from("cut\xc3", "latin1"));
    await utimes(bad, old, new Date("2011-02-03T04:05:06Z"));
    const future = fileIn(sandbox.source, Buffer.from("-leading-dash"));
    await utimes(future, old, new Date(Date.now() + 86_400_000));
    const newest = await sandbox.backup(["--newest", "names"]);
    assert.equal(newest.code, 0, newest.stderr);
    assert.equal(
      newest.stdoutBytes.toString("latin1"),
      "Thu Feb  3 04:05:06 2011 (@1296705906) cut\xc3\n",
    );
    const json = await sandbox.backup(["--newest", "--json", "names"]);
    const [entry] = ndjson(json.stdout);
    assert.equal(Buffer.from(entry?.path_base64 ?? "", "base64").toString("latin1"), "cut\xc3");
    const line = Buffer.from("new\nline");
    await utimes(fileIn(sandbox.source, line), old, new Date("2012-02-03T04:05:06Z"));
    const shown = await backupOnTerminal(sandbox, ["--newest", "names"]);
    assert.deepEqual(controlsIn(shown.stdout), []);
    assert.match(shown.stdout, /\(@1328241906\) new\u240Aline/);
    for (const name of names) await rm(fileIn(sandbox.source, name));
    const none = await sandbox.backup(["--newest", "names"]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /error: source: expected a file .*, found none under the filters/);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`a dry run tells any name (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    await fill(sandbox);
    await config(sandbox);
    const dry = await sandbox.backup(["-n", "names"]);
    assert.equal(dry.code, 0, dry.stderr);
    const lines = dry.stdoutBytes.toString("latin1").trimEnd().split("\n");
    assert.equal(lines.length, names.length + 1);
    const shown = await backupOnTerminal(sandbox, ["-n", "names"]);
    assert.equal(shown.code, 0, shown.stdout);
    assert.deepEqual(controlsIn(shown.stdout), []);
    assert.equal(shown.stdout.match(/add {10,}/g)?.length, names.length);
  });
}
