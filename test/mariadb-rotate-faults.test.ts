// What goes wrong with physical backups: none of it may cost an old backup, or pass for a new one.
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run } from "./helpers/command.ts";
import { appears, gone, tellPid } from "./helpers/fault.ts";
import { startMariadb } from "./helpers/mariadb.ts";
import {
  changeManifest,
  makeRotating,
  reportOf,
  sharedServer,
  type Rotating,
} from "./helpers/rotating.ts";

const server = await sharedServer();

/** Runs without the copy that is prepared, which takes half of the time. */
const quick = ["--test", "never"];

/** Changes a byte and nothing else. */
async function flip(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 100);
    await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 100);
  } finally {
    await handle.close();
  }
}

async function made(box: Rotating, args: readonly string[] = quick): Promise<readonly string[]> {
  const ran = await box.rotate(args);
  assert.equal(ran.code, 0, ran.stderr);
  return box.names();
}

test("a backup that fails leaves nothing behind, and costs no old one", async (t) => {
  const box = await makeRotating(t, server);
  const rules = ["--incrementals", "0", "--fulls", "1"];
  const before = await made(box, [...quick, ...rules]);
  const failures = [
    [`"$REAL" "$@"; exit 1`, /expected it to end well, found exit code 1/],
    [
      `"$REAL" "$@" 2>&1 | grep -v 'completed OK' >&2; exit 0`,
      /expected it to end well, found exit code 0/,
    ],
    [
      `is --prepare && { echo '[ERROR] page 7 is no good' >&2; exit 1; }; exec "$REAL" "$@"`,
      /--prepare: .*\n.*page 7 is no good/,
    ],
    [`mkdir "\${3#*=}"; echo half >"\${3#*=}/ibdata1"; kill -9 $$`, /found SIGKILL/],
    [`echo 'completed OK!' >&2; mkdir "\${3#*=}"`, /expected a file .*checkpoints/],
  ] as const;
  for (const [body, pattern] of failures) {
    const failing = await box.replace(body);
    const failed = await box.rotate(["--program", failing, ...rules]);
    assert.equal(failed.code, 1, `${body}\n${failed.stderr}`);
    assert.match(failed.stderr, pattern);
    assert.deepEqual(await box.names(), before);
    assert.deepEqual(await box.atWork(), ["lock"]);
  }
  const json = await box.rotate(["--program", await box.replace("exit 1"), "--json"]);
  assert.match(json.stdout, /"kind":"error".*"exit_code":1/);
  assert.equal((await made(box, [...quick, ...rules])).length, 1);
});

test("kill -9 in the middle: the program dies with it, a second run meanwhile is told to wait, a rerun cleans up", async (t) => {
  const box = await makeRotating(t, server);
  const before = await made(box);
  const pid = path.join(box.root, "pid");
  const hanging = await box.replace(
    `is --backup && { "$REAL" "$@"; ${tellPid(pid)}; exec sleep 600; }; exec "$REAL" "$@"`,
  );
  const live = box.startRotate(["--program", hanging]);
  const child = Number(await appears(pid));
  assert.deepEqual(await box.atWork(), ["lock", "new"]);
  const second = await box.rotate();
  assert.equal(second.code, 75, second.stderr);
  assert.match(second.stderr, /skipped: another run holds the lock: mariadb-rotate/);
  const restoring = await box.command([
    ...["--restore", "now", "--from", box.backups, "--to", path.join(box.root, "x")],
  ]);
  assert.equal(restoring.code, 75, restoring.stderr);
  live.kill("SIGKILL");
  await live.done;
  await gone(child);
  assert.deepEqual(await box.atWork(), ["lock", "new"]);
  assert.deepEqual(await box.names(), before);
  // What other kills would have left.
  await mkdir(path.join(box.backups, ".mariadb-rotate/test/d"), { recursive: true });
  await mkdir(path.join(box.backups, ".mariadb-rotate/gone-20200101T000000Z-full"));
  assert.equal((await made(box)).length, 2);
  assert.deepEqual(await box.atWork(), ["lock"]);
});

test("a signal ends it with 130, and nothing is left", async (t) => {
  const box = await makeRotating(t, server);
  const pid = path.join(box.root, "pid");
  const hanging = await box.replace(
    `is --prepare && { ${tellPid(pid)}; exec sleep 600; }; exec "$REAL" "$@"`,
  );
  const live = box.startRotate(["--program", hanging]);
  await appears(pid);
  assert.deepEqual(await box.atWork(), ["lock", "new", "test"]);
  live.kill("SIGTERM");
  const { code, stderr } = await live.done;
  assert.equal(code, 130, stderr);
  assert.deepEqual(await box.atWork(), ["lock"]);
  assert.deepEqual(await box.names(), []);
});

test("the disk is full, of the backup or of its test: told, cleaned up, and with room the next run is good", async (t) => {
  const box = await makeRotating(t, server);
  const disk = path.join(box.root, "disk");
  await mkdir(disk);
  const node = `'${process.execPath}' dist/exporters/mariadb-rotate.js --to "$DISK/b" --defaults-file='${server.defaultsFile}'`;
  const script = `mount -t tmpfs -o size=60m tmpfs "$DISK"
rotate() { code=0; ${node} "$@" 2>>"$DISK.err" || code=$?; echo "$code $(ls "$DISK/b" | wc -l) $(ls "$DISK/b/.mariadb-rotate")"; }
leave() { rm -f "$DISK/ballast"; head -c "$(($(stat -f -c '%a*%S' "$DISK") - $1))" /dev/zero >"$DISK/ballast"; }
rotate --test never
leave 3000000
rotate --full --incrementals 0 --fulls 1
leave 12000000
rotate
rm "$DISK/ballast"
rotate --test never`;
  const isRoot = process.getuid?.() === 0;
  const { code, stdout, stderr } = await run(
    "unshare",
    [isRoot ? "-m" : "-mr", "sh", "-ec", script],
    { cwd: path.resolve(import.meta.dirname, ".."), env: { ...box.env, DISK: disk } },
  );
  const told = await readFile(`${disk}.err`, "utf8");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "0 1 lock\n1 1 lock\n1 1 lock\n0 2 lock\n", told);
  assert.equal(told.match(/disk is full/g)?.length, 2, told);
  assert.match(told, /hint: make room there and run it again/);
});

test("a directory that holds anything else is refused, and left as it is", async (t) => {
  const box = await makeRotating(t, server);
  await mkdir(box.backups);
  const refused = async (place: string): Promise<void> => {
    for (const args of [quick, ["-n"]]) {
      const result = await box.rotate(args);
      assert.equal(result.code, 5, result.stderr);
      assert.match(
        result.stderr,
        new RegExp(`nothing but backups of mariadb-rotate, found ${place}`),
      );
    }
    assert.equal(await readFile(path.join(box.backups, place), "utf8"), "mine");
  };
  const put = async (place: string): Promise<void> =>
    writeFile(path.join(box.backups, place), "mine");
  await put("notes.txt");
  await refused("notes.txt");
  assert.deepEqual(await box.names(), ["notes.txt"]);
  await assert.rejects(box.atWork(), /ENOENT/, "not even a lock was made");
  await rm(path.join(box.backups, "notes.txt"));
  const [full = ""] = await made(box);
  for (const place of [".hidden", `${full}/extra.ibd`, ".mariadb-rotate/x"]) {
    await put(place);
    if (place === ".mariadb-rotate/x") assert.equal((await box.rotate(quick)).code, 5);
    else await refused(place);
    await rm(path.join(box.backups, place));
  }
  // A name like one of a backup, and none inside.
  const fake = path.join(box.backups, "20200101T000000Z-full");
  await mkdir(fake);
  assert.equal((await box.rotate(quick)).code, 5);
  await cp(path.join(box.backups, full), fake, { recursive: true });
  assert.equal((await box.rotate(quick)).code, 5, "a copy of a backup");
  await rm(fake, { recursive: true });
  assert.equal((await made(box)).length, 2);
});

test("a backup never goes into a server's own data", async (t) => {
  const box = await makeRotating(t, server);
  const inside = path.join(server.dataDirectory, "backups");
  const result = await box.command(["--to", inside, `--defaults-file=${server.defaultsFile}`]);
  assert.equal(result.code, 2, result.stderr);
  assert.match(result.stderr, /expected a directory outside of a server's data/);
  const absent = await box.command(["--to", path.join(box.root, "not/there")]);
  assert.equal(absent.code, 2, absent.stderr);
});

test("a clock that was set back is refused, until it is said to be right", async (t) => {
  const box = await makeRotating(t, server);
  const [full = ""] = await made(box);
  await changeManifest(path.join(box.backups, full), { finished_at: "2999-01-01T00:00:00.000Z" });
  for (const args of [quick, ["-n"]]) {
    const result = await box.rotate(args);
    assert.equal(result.code, 5, result.stderr);
    assert.match(
      result.stderr,
      /clock: expected a time after the newest backup, 2999.*\n.*--allow-clock/,
    );
  }
  assert.equal((await made(box, ["--allow-clock", ...quick])).length, 2);
  assert.equal((await made(box)).length, 3);
});

test("a damaged backup is told once, its chain gets no more, and a full one is made", async (t) => {
  const box = await makeRotating(t, server);
  await made(box);
  const [full = "", second = ""] = await made(box);
  await rm(path.join(box.backups, full, "ibdata1"));
  const dry = await box.rotate(["-n"]);
  assert.match(
    dry.stdout,
    /^make full: the chain \S+ is broken at \S+: its file ibdata1 is gone\n$/,
  );
  const told = await box.rotate([...quick, "--json"]);
  assert.equal(told.code, 3, told.stderr);
  assert.match(
    told.stderr,
    new RegExp(`warning: ${full} can't be restored: its file ibdata1 is gone`),
  );
  assert.equal(reportOf(told.stdout).made?.kind, "full");
  const again = await box.rotate(quick);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stderr, "");
  assert.deepEqual(
    (await box.names()).map((name) => name.slice(17)),
    ["full", "incremental", "full", "incremental"],
  );
  const restored = await box.command([
    ...["--restore", second, "--from", box.backups, "--to", path.join(box.root, "x")],
  ]);
  assert.equal(restored.code, 1, restored.stderr);
  assert.match(
    restored.stderr,
    /found \S+ broken: its file ibdata1 is gone\n.*no older one can be restored/,
  );
  const listed = await box.command(["--list", "--from", box.backups]);
  assert.match(
    listed.stdout,
    /broken: its file ibdata1 is gone\n.*can't be restored\n.*not tested\n.*not tested\n$/,
  );
});

test("damage that no size shows is found by the test of the next backup, and by a restore", async (t) => {
  const box = await makeRotating(t, server);
  const [full = ""] = await made(box);
  await flip(path.join(box.backups, full, "ibdata1"));
  const result = await box.rotate(["--json"]);
  assert.equal(result.code, 3, result.stderr);
  assert.match(result.stderr, /expected ibdata1 as it was written, found other bytes/);
  const report = reportOf(result.stdout);
  assert.equal(report.made?.kind, "full");
  assert.equal(report.problems.length, 1);
  assert.equal((await box.names()).length, 2);
  const target = path.join(box.root, "x");
  const restored = await box.command(["--restore", full, "--from", box.backups, "--to", target]);
  assert.equal(restored.code, 1, restored.stderr);
  assert.match(
    restored.stderr,
    /warning: .* was found broken at .*\n.*as it was written, found other bytes/,
  );
  await assert.rejects(readFile(path.join(target, "ibdata1")), /ENOENT/);
  assert.deepEqual(
    (await run("ls", ["-A", box.root])).stdout.split("\n").filter((name) => name.startsWith(".x")),
    [],
  );
});

test("damaged checkpoints of the newest backup: a full one is made, and told once", async (t) => {
  const box = await makeRotating(t, server);
  const [full = ""] = await made(box);
  const file = path.join(box.backups, full, "xtrabackup_checkpoints");
  const text = await readFile(file, "utf8");
  for (const damaged of [text.replaceAll(/./g, " "), text.replace(/to_lsn = ./, "to_lsn = 9")]) {
    const newest = (await box.names()).at(-1) ?? "";
    await writeFile(path.join(box.backups, newest, "xtrabackup_checkpoints"), damaged);
    const result = await box.rotate(["--json"]);
    assert.equal(result.code, 3, result.stderr);
    assert.match(result.stderr, /checkpoints.*; a full one is made instead/);
    assert.equal(reportOf(result.stdout).made?.kind, "full");
    const next = await box.rotate(["--json"]);
    assert.deepEqual([next.code, reportOf(next.stdout).made?.kind], [0, "incremental"]);
    // Back on a full one, whose checkpoints have as many bytes.
    await box.rotate(["--full"]);
  }
});

test("a server that was restored or replaced gets a full backup: log sequence numbers alone don't tell", async (t) => {
  const box = await makeRotating(t, server);
  const target = path.join(box.root, "restored");
  const [full = ""] = await made(box);
  assert.equal((await made(box)).length, 2);
  await box.command(["--restore", full, "--from", box.backups, "--to", target]);
  const first = await startMariadb(t, { dataDirectory: target });
  await first.sql(
    "create database x; use x; create table t (v char(200)); insert into t select seq from seq_1_to_30000",
  );
  await first.stop();
  const restored = await startMariadb(t, { dataDirectory: target });
  const result = await box.command([
    ...["--to", box.backups, `--defaults-file=${restored.defaultsFile}`],
    ...quick,
    "--json",
  ]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(
    result.stderr,
    /warning: an incremental one .* is no good: .*data of another server, or restored ones/,
  );
  assert.equal(reportOf(result.stdout).made?.kind, "full");
  assert.equal((await box.names()).length, 3);
  assert.deepEqual(await box.atWork(), ["lock"]);
});

test("what is written during a backup is in it whole or not at all", async (t) => {
  // mariadb-backup has to keep up with the log.
  const options = ["--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=1"];
  const own = await startMariadb(t, { options });
  const box = await makeRotating(t, own);
  await own.sql(`create database bank; use bank;
create table a (id int primary key, v int); insert into a select seq, 100 from seq_1_to_200;
create table b like a; insert into b select * from a;
delimiter //
create procedure pay() begin declare n int default 0; while n < 1000000 do start transaction;
update a set v = v - 1 where id = n % 200 + 1; update b set v = v + 1 where id = n * 7 % 200 + 1;
commit; set n = n + 1; do sleep(0.002); end while; end //
delimiter ;`);
  const writing = own.sql("call bank.pay()").catch(() => "");
  for (let nth = 0; nth < 3; nth += 1) await made(box, ["--test", "2"]);
  const target = path.join(box.root, "x");
  const restored = await box.command(["--restore", "now", "--from", box.backups, "--to", target]);
  assert.equal(restored.code, 0, restored.stderr);
  await own.kill();
  await writing;
  const back = await startMariadb(t, { dataDirectory: target });
  const sum =
    "select (select sum(v) from bank.a) + (select sum(v) from bank.b), (select sum(v) from bank.a) < 20000";
  assert.equal(await back.sql(sum), "40000\t1\n");
});

test("a target that is in use, a missing program and wrong arguments are told", async (t) => {
  const box = await makeRotating(t, server);
  await made(box);
  const from = ["--from", box.backups];
  await mkdir(path.join(box.root, "used"));
  await appendFile(path.join(box.root, "used/mine"), "mine");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [
      ["--restore", "now", ...from, "--to", path.join(box.root, "used")],
      2,
      /expected an empty directory.*found mine/,
    ],
    [
      ["--restore", "now", ...from, "--to", path.join(box.root, "no/x")],
      2,
      /expected \S+\/no to be there/,
    ],
    [
      ["--restore", "1 year ago", ...from, "--to", path.join(box.root, "x")],
      2,
      /since the first backup/,
    ],
    [["--restore", "now", ...from], 2, /expected --to DIRECTORY/],
    [
      ["--restore", "now", "--from", path.join(box.root, "used"), "--to", path.join(box.root, "x")],
      1,
      /expected backups, found none/,
    ],
    [["--restore", "now", "--list", ...from], 2, /one of --restore and --list/],
    [["--list"], 2, /expected --from DIRECTORY/],
    [[], 2, /expected --to DIRECTORY/],
    [["--to", box.backups, "--fulls", "0"], 2, /--fulls: expected a number from 1/],
    [["--to", box.backups, "--incrementals", "x"], 2, /--incrementals: expected a number/],
    [["--to", box.backups, "--test", "x"], 2, /--test: expected each/],
    [["--to", box.backups, ...from], 2, /--from with --restore/],
    [
      ["--to", box.backups, "--program", "/nonexistent/backup"],
      1,
      /found none that can be started\n.*install mariadb-backup/,
    ],
    [["--to", box.backups, "--program", "true"], 1, /expected mariadb-backup to tell its version/],
    [
      ["--to", box.backups, "--defaults-file", "/nonexistent.cnf"],
      2,
      /--defaults-file: expected a file/,
    ],
    [["--to", box.backups, "--set", "a.b=c"], 2, /reads none/],
  ];
  for (const [args, code, pattern] of cases) {
    const result = await box.command(args);
    assert.equal(result.code, code, `${args.join(" ")}\n${result.stderr}`);
    assert.match(result.stderr, pattern);
  }
  assert.equal(await readFile(path.join(box.root, "used/mine"), "utf8"), "mine");
  // What another series made is better prepared by that one.
  const [full = ""] = await box.names();
  await changeManifest(path.join(box.backups, full), { program: "9.9.9" });
  const other = await box.command(["--restore", "now", ...from, "--to", `${box.root}/x`, "-n"]);
  assert.match(
    other.stderr,
    /warning: the backups were made by version 9\.9\.9 .* --program can name/,
  );
  // An option file that everybody can read keeps no password.
  const open_ = path.join(box.root, "open.cnf");
  await writeFile(open_, await readFile(server.defaultsFile), { mode: 0o644 });
  const warned = await box.command(["--to", box.backups, "--defaults-file", open_, ...quick]);
  assert.equal(warned.code, 0, warned.stderr);
  assert.match(warned.stderr, /warning: .*open\.cnf holds a password, and everybody can read it/);
  assert.ok(!warned.stderr.includes(server.password));
  await rename(open_, `${open_}.gone`);
});
