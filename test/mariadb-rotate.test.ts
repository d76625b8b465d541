// Physical backups of a real MariaDB server, from the first full one to a server started on what was restored.
import assert from "node:assert/strict";
import { chown, lstat, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { startMariadb } from "./helpers/mariadb.ts";
import type { MysqlServer } from "./helpers/mysqlserver.ts";
import {
  makeDirectory,
  makeRotating,
  modesOf,
  reportOf,
  sharedServer,
} from "./helpers/rotating.ts";

const server = await sharedServer();

const tables = `
create database shop;
create table shop.orders (id int primary key auto_increment, note varchar(200), at datetime(3), blob_ longblob);
create table shop.archive (id int primary key, v text) engine = MyISAM;
create table shop.notes (id int primary key, v text) engine = Aria;
create database \`a.b 'c" $ ä €\`;
create table \`a.b 'c" $ ä €\`.\`t \`\`1\`\`\` (id int primary key, v int);
use shop;
insert into shop.orders (note, at, blob_) select concat('order ', seq), '2026-01-01', repeat(char(seq % 256), 300) from seq_1_to_5000;
insert into shop.archive values (1, 'one');
insert into shop.notes values (1, 'one');
insert into \`a.b 'c" $ ä €\`.\`t \`\`1\`\`\` values (1, 1);`;

/** All data of the databases that the test made, as one text. */
async function contentOf({ sql }: MysqlServer): Promise<string> {
  const names = await sql(
    "select concat('`', replace(table_schema, '`', '``'), '`.`', replace(table_name, '`', '``'), '`') from information_schema.tables where table_schema not in ('mysql', 'sys', 'performance_schema', 'information_schema') order by 1",
  );
  const list = names.split("\n").filter((name) => name !== "");
  const sums = await sql(`checksum table ${list.join(", ")} extended`);
  return `${sums}${await sql("select id, note, at, md5(blob_) from shop.orders order by id")}`;
}

test("full, incremental, incremental: each point comes back as it was, and a server starts on it", async (t) => {
  const own = await startMariadb(t, { options: ["--log-bin=binlog"] });
  const box = await makeRotating(t, own);
  const recorder = await box.replace(
    `printf '%s\\n' "$*" >>'${box.root}/argv'; env >>'${box.root}/env'; exec "$REAL" "$@"`,
  );
  await own.sql(tables);
  const points: string[] = [];
  const changes = [
    "select 1",
    "delete from shop.orders where id % 7 = 0; update shop.notes set v = 'two'; insert into shop.archive values (2, 'two'); create table shop.more (id int primary key); insert into shop.more values (1)",
    "use shop; insert into shop.orders (note) select concat('late ', seq) from seq_1_to_500; alter table shop.more add column x int default 5; drop table shop.archive; create database late; create table late.t (id int primary key); insert into late.t values (9)",
  ];
  for (const change of changes) {
    await own.sql(change);
    points.push(await contentOf(own));
    const ran = await box.rotate(["--program", recorder, "-vv"]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(!ran.stderr.includes(own.password), "the password was told");
    assert.match(ran.stderr, /-(?:full|incremental): \d+ files \(.*\), prepare-tested/);
    assert.equal(ran.stdout, "");
  }
  // What comes later is in none of them.
  await own.sql("drop table shop.orders; insert into late.t values (10)");
  const names = await box.names();
  assert.deepEqual(
    names.map((name) => name.slice(17)),
    ["full", "incremental", "incremental"],
  );
  assert.deepEqual(await box.atWork(), ["lock"]);
  for (const line of await modesOf(box.backups)) assert.match(line, /^0600 |^0700 /);
  for (const file of ["argv", "env"]) {
    const text = await readFile(path.join(box.root, file), "utf8");
    assert.ok(!text.includes(own.password), `the password is in ${file}`);
  }

  const owned = await makeDirectory(box.root, "owned");
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(owned, 65_534, 65_534);
  const listed = await box.command(["--list", "--from", box.backups, "--json"]);
  const times = [...listed.stdout.matchAll(/"finished_at":"([^"]+)"/g)].map(([, at = ""]) => at);
  assert.equal(times.length, 3, listed.stdout);
  const targets = [
    { at: names[0] ?? "", target: path.join(box.root, "first") },
    { at: times[1] ?? "", target: owned },
    { at: "now", target: path.join(box.root, "last") },
  ];
  for (const [nth, { at, target }] of targets.entries()) {
    const restored = await box.command(["--restore", at, "--from", box.backups, "--to", target]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(restored.stdout + restored.stderr, "");
    for (const line of await modesOf(target)) assert.match(line, /^0600 |^0700 /);
    if (target === owned && isRoot) assert.equal((await lstat(`${target}/ibdata1`)).uid, 65_534);
    const back = await startMariadb(t, { dataDirectory: target });
    assert.equal(await contentOf(back), points[nth], `point ${nth}`);
    await back.stop();
  }
  assert.deepEqual(await box.names(), names);
  const again = await box.rotate();
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout + again.stderr, "", "a good run is silent");
});

test("old chains go when the new full backup is good: a dry run tells the same plan and changes nothing", async (t) => {
  const box = await makeRotating(t, server);
  const rules = ["--incrementals", "1", "--fulls", "1", "--test", "full"];
  for (let run = 1; run <= 2; run += 1) assert.equal((await box.rotate(rules)).code, 0);
  const before = await box.names();
  assert.equal(before.length, 2);
  const dry = await box.rotate([...rules, "-n"]);
  assert.equal(dry.code, 0, dry.stderr);
  const [full = "", incremental = ""] = before;
  const reason = "1 newer full backup is kept";
  assert.equal(
    dry.stdout,
    `make full: ${full} has 1 incremental backup\nremove ${full}: ${reason}\nremove ${incremental}: ${reason}\n`,
  );
  assert.deepEqual(await box.names(), before);
  const dryJson = reportOf((await box.rotate([...rules, "-n", "--json"])).stdout);
  const json = reportOf((await box.rotate([...rules, "--json"])).stdout);
  assert.deepEqual(json.plan, dryJson.plan);
  assert.equal(dryJson.made, null);
  assert.deepEqual(dryJson.removed, []);
  assert.deepEqual(json.removed, [incremental, full]);
  assert.deepEqual(await box.names(), [json.made?.name]);
});

test("a dry run where nothing is yet makes nothing; with -v a run says what it did", async (t) => {
  const box = await makeRotating(t, server);
  const dry = await box.rotate(["--dry-run"]);
  assert.equal(dry.stdout, "make full: there is no backup yet\n");
  await assert.rejects(box.names(), /ENOENT/);
  const told = await box.rotate(["-v", "--test", "never"]);
  assert.match(
    told.stderr,
    /-full: there is no backup yet\n.*-full: \d+ files \(.*\), not tested\n/,
  );
  const listed = await box.command(["--list", "--from", box.backups]);
  assert.match(listed.stdout, /^\d{8}T\d{6}Z-full +\S+Z +[\d.]+ MiB not tested\n$/);
  const restoring = await box.command([
    "--restore",
    "now",
    "--from",
    box.backups,
    "--to",
    `${box.root}/x`,
    "-n",
  ]);
  assert.match(restoring.stdout, /^would restore .*\/x: as of \S+Z, from \d{8}T\d{6}Z-full\n$/);
});
