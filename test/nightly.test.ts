import assert from "node:assert/strict";
import { chmod, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { makeNights } from "./helpers/nights.ts";

/* What `rclone-backups run` does with several backups; each story has a sandbox of its own. */

/** A server that notes which paths were asked for. */
async function listener(t: TestContext): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end("ok");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked };
}

test("a good night is silent, one that fails stops no other, and the canary sings for good ones only", async (t) => {
  const nights = await makeNights(t);
  const { url, asked } = await listener(t);
  await nights.setDefaults(
    `VERIFY_BUDGET=0\nCANARY=${url}/good\nCANARY_START=${url}/start\nCANARY_FAIL=${url}/bad\n`,
  );
  await nights.addBackup("one", { a: "a" });
  await nights.addBackup("two", { b: "b" });
  const good = await nights.all(["run"]);
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", ""]);
  assert.deepEqual(asked.splice(0), ["/start", "/good"]);

  await rename(nights.sourceOf("one"), `${nights.sourceOf("one")}.away`);
  await nights.write("two", { c: "c" });
  const bad = await nights.all(["run"]);
  assert.equal(bad.code, 5, bad.stderr);
  assert.match(bad.stderr, /^one: rclone-backup: error: source: expected the directory /m);
  assert.doesNotMatch(bad.stderr, /^two: /m);
  assert.match(bad.stdout, /^one +failure +\d+ s +5: source: expected/m);
  assert.match(bad.stdout, /^two +success .*2 files .*1 new/m);
  assert.deepEqual(asked.splice(0), ["/start", "/bad"]);
  const stored = await nights.runRclone(["lsf", "secret:two"]);
  assert.equal(stored.stdout, "b\nc\n");
});

test("a verification that fails is no good state until one succeeds, however the backups go", async (t) => {
  const nights = await makeNights(t);
  const { url, asked } = await listener(t);
  await nights.setDefaults(`CANARY=${url}/good\nCANARY_FAIL=${url}/bad\n`);
  const program = path.join(nights.root, "no-reading");
  const refuse = "for word; do case $word in check | cat) echo broken >&2; exit 7 ;; esac; done";
  await writeFile(program, `#!/bin/sh\n${refuse}\nexec '${nights.rclone.path}' "$@"\n`);
  await chmod(program, 0o755);
  await nights.addBackup("one", { a: Buffer.alloc(2000, "a") }, `[rclone]\nprogram = ${program}\n`);
  await nights.addBackup("two", { b: "b" });
  const bad = await nights.all(["run", "-v"]);
  assert.equal(bad.code, 1, bad.stderr);
  // What was reserved counts as spent, and nothing says that it was read.
  assert.match(bad.stdout, /^one +success .*; not read back, 1: /m);
  assert.match(bad.stdout, /; 1\.95 KiB of 1 GiB spent on reading back today$/m);
  assert.deepEqual(asked.splice(0), ["/bad"]);

  for (const words of [["two"], ["one", "--no-verify"]]) {
    const part = await nights.all(["run", ...words]);
    assert.equal(part.code, 0, part.stderr);
    assert.deepEqual(asked.splice(0), []);
  }
  const status = await nights.all(["status"]);
  assert.equal(status.code, 1, status.stdout);
  assert.match(status.stdout, /^one +failed/m);
  assert.match(status.stdout, /^one: reading back failed at 2/m);

  await rm(program);
  await symlink(nights.rclone.path, program);
  const read = await nights.backup(["--verify", "all", "one"]);
  assert.equal(read.code, 0, read.stderr);
  assert.equal((await nights.all(["status"])).code, 0);
  assert.equal((await nights.all(["run", "two"])).code, 0);
  assert.deepEqual(asked.splice(0), ["/good"]);
});

test("a ping that a backup begins is sent once nothing skips it any more", async (t) => {
  const nights = await makeNights(t);
  const { url, asked } = await listener(t);
  const ping = (name: string, more = ""): string => `${more}[notify]\nping = ${url}/${name}\n`;
  await nights.addBackup("fine", { a: "a" }, ping("fine", "pre_command = echo begun\n"));
  await nights.addBackup("told", { a: "a" }, ping("told", "pre_command = exit 75\n"));
  await nights.addBackup("met", { a: "a" }, ping("met", "[schedule]\nskip_unless = false\n"));
  // Nobody takes connections at this port.
  const off = "[default]\nsource = /srv\ndestination = :webdav,url='http://127.0.0.1:1':data\n";
  await nights.writeConfig("off", ping("off", off));
  const night = await nights.all(["run", "-v"]);
  assert.equal(night.code, 75, night.stderr);
  assert.match(night.stdout, /^1 success, 3 skipped$/m);
  assert.deepEqual(asked, ["/fine/start", "/fine"]);
  // That it was told is for the run, not for readers.
  assert.doesNotMatch(night.stderr, /rclone-backup: begun/);
});

test("what can't be loaded is told beside the rest; nothing at all to run is told too", async (t) => {
  const nights = await makeNights(t);
  const none = await nights.all(["run"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /error: expected configurations \(NAME\.conf\), found none in /);
  await nights.addBackup("fine", { a: "a" });
  await nights.writeConfig("broken", "[default]\nsource = /srv\ndestinatoin = secret:x\n");
  const report = await nights.night(2);
  assert.deepEqual(
    report.backups.map(({ name, outcome }) => [name, outcome]),
    [
      ["broken", "usage"],
      ["fine", "done"],
    ],
  );
  assert.match(report.backups[0]?.message ?? "", /broken\.conf:3.*destinatoin/);
});

test("a backup finds what it extends in the directory that --config-dir names, also to be read back", async (t) => {
  const nights = await makeNights(t);
  await nights.setDefaults("VERIFY_BUDGET=1M\n");
  await nights.write("home", { a: "a" });
  await nights.writeConfig(
    "common",
    `[default]\nsource = ${nights.sourceOf("home")}\ndestination = secret:home\n`,
  );
  const file = path.join(nights.root, "home.conf");
  await writeFile(file, "[default]\nextends = common\n");
  const result = await nights.all(
    ["run", "-v", "--config-dir", path.basename(nights.config), file],
    { env: { RCLONE_BACKUPS_DIR: "" } },
  );
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^1 success; 1 B of 1 MiB spent on reading back today$/m);
});

test("two runs at once: the second is skipped; kill -9 takes all its backups along, and a rerun works", async (t) => {
  const nights = await makeNights(t);
  const slow = "[rclone]\nbwlimit = 100k\n";
  for (const name of ["one", "two"])
    await nights.addBackup(name, { big: Buffer.alloc(3_000_000) }, slow);
  const first = nights.startAll(["run", "-v"]);
  const running = async (): Promise<boolean> => {
    const { stdout } = await nights.all(["status", "--json"]);
    return (stdout.match(/"running":\{/g) ?? []).length === 2;
  };
  for (let tries = 0; !(await running()); tries += 1) assert.ok(tries < 50, first.stderr());
  const second = await nights.all(["run"]);
  assert.equal(second.code, 75, second.stderr);
  assert.match(second.stderr, /another run holds the lock: rclone-backups run, process \d+/);
  first.kill("SIGKILL");
  await first.done;
  for (const name of ["one", "two"]) await nights.addBackup(name, { big: Buffer.alloc(3_000_000) });
  // What was killed ends by itself, so that the next run finds the locks free.
  const again = await nights.all(["run"]);
  assert.equal(again.code, 0, again.stderr);
  const { stdout } = await nights.runRclone(["size", "secret:"]);
  assert.match(stdout, /Total objects: 2/);
});

test("a signal ends the run and all its backups: 130", async (t) => {
  const nights = await makeNights(t);
  const slow = "[rclone]\nbwlimit = 100k\n";
  await nights.addBackup("one", { big: Buffer.alloc(3_000_000) }, slow);
  await nights.addBackup("two", { big: Buffer.alloc(3_000_000) }, slow);
  const { url, asked } = await listener(t);
  await nights.setDefaults(`VERIFY_BUDGET=0\nCANARY=${url}/good\nCANARY_FAIL=${url}/bad\n`);
  const live = nights.startAll(["run", "-v", "-j", "1"]);
  await live.waitFor(/one: rclone-backup: special files/);
  live.kill("SIGTERM");
  const result = await live.done;
  assert.equal(result.code, 130, result.stderr);
  assert.match(result.stderr, /^one: rclone-backup: error: stopped by /m);
  assert.deepEqual(asked, ["/bad"]);
  // The other one was not begun.
  assert.doesNotMatch(result.stderr, /^two: /m);
});

test("hooks around all: what they get, and exit code 75 skips", async (t) => {
  const nights = await makeNights(t);
  await nights.addBackup("one", { a: "a" });
  await nights.addBackup("two", { a: "a" }, "[schedule]\nskip_unless = false\n");
  const log = path.join(nights.root, "log");
  const after = `AFTER_ALL='echo "$BACKUPS_OUTCOME|$BACKUPS_GOOD|$BACKUPS_FAILED|$BACKUPS_SKIPPED" >> ${log}'\n`;
  await nights.setDefaults(`VERIFY_BUDGET=0\nBEFORE_ALL='echo before >> ${log}'\n${after}`);
  const report = await nights.night(75);
  assert.deepEqual(
    report.backups.map(({ result }) => result),
    ["success", "skipped"],
  );
  assert.equal(await readFile(log, "utf8"), "before\nskipped|one||two\n");
  await nights.setDefaults(`VERIFY_BUDGET=0\nBEFORE_ALL='exit 75'\n${after}`);
  assert.deepEqual((await nights.night(75)).backups, []);
  await nights.setDefaults(`VERIFY_BUDGET=0\nBEFORE_ALL='exit 3'\n${after}`);
  const failed = await nights.all(["run"]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /BEFORE_ALL: expected exit code 0, found 3/);
});

test("what a day may read back is divided, remembered, and spent once", async (t) => {
  const nights = await makeNights(t);
  await nights.addBackup("big", Object.fromEntries(several(20, 50_000)));
  await nights.addBackup("small", { a: Buffer.alloc(10_000, "a") });
  await nights.addBackup("none", { a: Buffer.alloc(10_000, "a") }, "[verify]\nbudget = 0\n");
  await nights.setDefaults("VERIFY_BUDGET=310000\n");
  const first = await nights.night(0);
  const shares = Object.fromEntries(
    first.backups.map(({ name, verifications }) => [
      name,
      verifications.map(({ share, bytes }) => [share, bytes]),
    ]),
  );
  // The share is a hard limit, and the small one leaves the most of its own to the big one.
  assert.deepEqual(shares, { big: [[300_000, 300_000]], none: [], small: [[10_000, 10_000]] });
  assert.deepEqual(first.verification, { budget: 310_000, spent_before: 0, spent: 310_000 });
  const second = await nights.night(0);
  assert.deepEqual(
    second.backups.flatMap(({ verifications }) => verifications),
    [],
  );
  // A file that can't be understood is told, and costs at most a day's budget more.
  const file = path.join(nights.state, "suite", "budget.json");
  await writeFile(file, "{");
  const third = await nights.all(["run", "-v"]);
  assert.equal(third.code, 0, third.stderr);
  assert.match(third.stderr, /warning: verification: expected JSON, found a damaged file/);
  assert.match(third.stdout, /^big .*6 files .*read back/m);
});

function several(number: number, size: number): [string, Buffer][] {
  return Array.from({ length: number }, (_, at) => [`file${at}`, Buffer.alloc(size, String(at))]);
}

test("a stored file that is damaged: 4, told in status until it is mended and proved", async (t) => {
  const nights = await makeNights(t);
  await nights.addBackup("home", { a: Buffer.alloc(100_000, "a") });
  // A time that utimes() can give back exactly.
  await utimes(path.join(nights.sourceOf("home"), "a"), 1_700_000_000, 1_700_000_000);
  await nights.night(0);
  const { stdout: name } = await nights.runRclone(["lsf", "-R", "--files-only", "secret:home"]);
  assert.equal(name, "a\n");
  const copy = await nights.runRclone([
    "lsf",
    "-R",
    "--files-only",
    path.join(nights.store, "secret"),
  ]);
  const stored = path.join(nights.store, "secret", copy.stdout.trim());
  const content = await readFile(stored);
  content[50_000] = (content[50_000] ?? 0) ^ 1;
  const { atime, mtime } = await stat(stored);
  await writeFile(stored, content);
  await utimes(stored, atime, mtime);
  await nights.setDefaults("VERIFY_BUDGET=1M\n");
  const report = await nights.night(4);
  assert.deepEqual(report.backups[0]?.verifications[0]?.differences, [{ path: "a" }]);
  const status = await nights.all(["status"]);
  assert.equal(status.code, 4, status.stdout);
  assert.match(status.stdout, /found different/);
  const mended = await nights.night(0);
  assert.equal(mended.backups[0]?.outcome, "done");
  assert.equal((await nights.all(["status"])).code, 0);
});

function outcomes({ backups }: { backups: { name: string; outcome: string }[] }): string[] {
  return backups.map(({ name, outcome }) => `${name} ${outcome}`);
}

test("a schedule: what is not due waits, what is named runs, and what was skipped is tried again", async (t) => {
  const nights = await makeNights(t);
  // Due once a year: it never ran, so it is due now.
  const yearly = "[schedule]\ncron = 0 0 1 1 *\n";
  const gate = path.join(nights.root, "gate");
  await nights.addBackup("yearly", { a: "a" }, `${yearly}skip_unless = test -e ${gate}\n`);
  await nights.addBackup("always", { a: "a" });
  assert.deepEqual(outcomes(await nights.night(75)), ["always done", "yearly skipped"]);
  await writeFile(gate, "");
  const due = await nights.night(0, "--due");
  assert.deepEqual([outcomes(due), due.not_due], [["yearly done"], ["always"]]);
  const later = await nights.night(0);
  assert.deepEqual([outcomes(later), later.not_due], [["always done"], ["yearly"]]);
  assert.deepEqual(outcomes(await nights.night(0, "yearly")), ["yearly done"]);
  assert.deepEqual(outcomes(await nights.night(0, "--all")), ["always done", "yearly done"]);
  const idle = await nights.all(["run", "--due"]);
  assert.deepEqual([idle.code, idle.stdout, idle.stderr], [0, "", ""]);
});

test("a dry run shows what each would do, and changes nothing", async (t) => {
  const nights = await makeNights(t);
  await nights.setDefaults("BEFORE_ALL='exit 1'\n");
  await nights.addBackup("one", { a: "a" });
  const dry = await nights.all(["run", "-n"]);
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^one: .*a$/m);
  assert.equal((await nights.runRclone(["lsf", "-R", path.join(nights.store)])).stdout, "");
});

test("a damaged state of the whole is set aside and told; a configuration that vanishes is told", async (t) => {
  const nights = await makeNights(t);
  await nights.addBackup("one", { a: "a" });
  await nights.addBackup("two", { a: "a" });
  await nights.night(0);
  await writeFile(path.join(nights.state, "suite", "suite.json"), "{");
  await writeFile(path.join(nights.state, "suite", "notices.json"), "[]");
  // The first one takes the second one's configuration away, as an editor or a package might.
  const conf = path.join(nights.config, "two.conf");
  await nights.writeConfig(
    "one",
    `[default]\nsource = ${nights.sourceOf("one")}\ndestination = secret:one\npre_command = rm ${conf}\n`,
  );
  const result = await nights.all(["run", "-j", "1"]);
  assert.equal(result.code, 2, result.stderr);
  assert.match(
    result.stderr,
    /warning: state: expected JSON, found a damaged file; it is kept as .*suite\.json\.damaged/,
  );
  assert.match(result.stderr, /notices: expected JSON, found a damaged file/);
  assert.match(result.stderr, /^two: rclone-backup: error: .*two\.conf/m);
  assert.match(result.stdout, /^one +success/m);
});

test("notice servers that are dead cost their time only, and are told", async (t) => {
  const nights = await makeNights(t);
  const server = createServer(() => {});
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const told = path.join(nights.root, "told");
  await nights.setDefaults(
    `VERIFY_BUDGET=0\nNOTIFY_WEBHOOK=http://127.0.0.1:${port}/secret-token\nNOTIFY_COMMAND='cat >> ${told}'\nNOTIFY_ON=all\n`,
  );
  await nights.addBackup("one", { a: "a" });
  await rm(nights.sourceOf("one"), { recursive: true });
  const result = await nights.all(["run"]);
  assert.equal(result.code, 2, result.stderr);
  assert.match(result.stderr, /warning: notices of all backups: webhook/);
  assert.doesNotMatch(result.stderr + (await readFile(told, "utf8")), /secret-token/);
  assert.match(await readFile(told, "utf8"), /a notice channel is dead|webhook/);
});
