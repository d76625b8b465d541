import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { run, type Result } from "./helpers/command.ts";
import { startMariadb } from "./helpers/mariadb.ts";
import { startMysql } from "./helpers/mysql.ts";
import { awkwardNames, fillDatabase, fillRows, quoted } from "./helpers/mysqldatabase.ts";
import type { MysqlServer } from "./helpers/mysqlserver.ts";
import { exporter, makeSplitting, parseSplit, type SplitDocument } from "./helpers/splitting.ts";

/* Dumps of real MariaDB and MySQL servers, by their own programs: split, joined and restored. */

interface World {
  readonly server: MysqlServer;
  readonly root: string;
  /** Dumps databases into a directory of this name. */
  dump: (to: string, ...words: readonly string[]) => Promise<SplitDocument>;
  /** What mysql-join prints. */
  join: (to: string, ...words: readonly string[]) => Promise<Buffer>;
  /** Gives a dump to the server's own client. */
  load: (dump: Uint8Array, database?: string) => Promise<void>;
}

async function makeWorld(t: TestContext, server: MysqlServer): Promise<World> {
  const { root } = await makeSplitting(t);
  const env = { PATH: `${server.bin}:/usr/bin:/bin` };
  return {
    server,
    root,
    dump: async (to, ...words) => {
      const options = ["--json", "--chunk-size", "64K", "--program", server.dumper];
      const given = ["--defaults-file", server.defaultsFile, "--to", path.join(root, to)];
      const args = [exporter("mysql-split"), ...options, ...given, "--dump", ...words];
      const result = await run(process.execPath, args, { env });
      assert.equal(result.code, 0, result.stderr);
      assert.ok(!result.stderr.includes(server.password));
      return parseSplit(result);
    },
    join: async (to, ...words) => {
      const args = [exporter("mysql-join"), path.join(root, to), ...words];
      const result = await run(process.execPath, args);
      assert.deepEqual([result.code, result.stderr], [0, ""]);
      return result.stdoutBytes;
    },
    load: async (dump, database) => {
      const named = database === undefined ? [] : [`--database=${database}`];
      const words = [
        `--defaults-file=${server.defaultsFile}`,
        "--protocol=socket",
        "--binary-mode",
      ];
      const options = { input: dump, env, timeout: 900_000 };
      const result = await run(server.client, [...words, ...named], options);
      assert.equal(result.code, 0, result.stderr);
    },
  };
}

/** Without the lines that name the database. */
function comparable(dump: Buffer): string {
  return dump.toString("latin1").replaceAll(/^-- (?:Host: |Dumping (?:events|routines)).*$/gm, "");
}

/** The first lines that differ: whole dumps take long to print. */
function differences(one: string, other: string): string[] {
  const [lines, others] = [one.split("\n"), other.split("\n")];
  return lines
    .flatMap((line, at) => {
      const found = others[at] ?? "";
      return line === found ? [] : [`${line.slice(0, 300)} | ${found.slice(0, 300)}`];
    })
    .slice(0, 4);
}

async function everything({ server, root, dump, join, load }: World): Promise<void> {
  await fillDatabase(server, "world");
  const first = await dump("world", "world");
  assert.equal(first.program, server.kind === "mariadb" ? "mariadb-dump" : "mysqldump");
  assert.ok(server.version.startsWith(first.program_version ?? "?"), first.program_version ?? "");
  const joined = await join("world");
  const files = (await readdir(path.join(root, "world"))).filter((name) => !name.startsWith("."));
  assert.equal(files.length, first.files);
  const texts = await Promise.all(
    files.toSorted().map(async (name) => readFile(path.join(root, "world", name))),
  );
  assert.ok(Buffer.concat(texts).equals(joined));
  for (const kind of [
    "head",
    "tail",
    "world.routines",
    "world.events",
    "world.parent.triggers",
    "world.names.view",
  ])
    assert.ok(
      files.some((name) => name.endsWith(`-${kind}.sql`)),
      kind,
    );
  assert.ok(!files.some((name) => /lure|in_a_body/.test(name)), files.join("\n"));
  await server.sql("create database again");
  await load(joined, "again");
  await dump("again", "again");
  assert.deepEqual(differences(comparable(joined), comparable(await join("again"))), []);
  const second = await dump("world", "world");
  assert.deepEqual([second.changed, second.added, second.removed], [[], [], []]);
  // Of each table with a name that needs care, one row; then each of them comes back alone.
  for (const table of awkwardNames)
    await server.sql(`insert into ${quoted(table)} values (3,'3')`, "world");
  const third = await dump("world", "world");
  assert.deepEqual(
    [third.changed.length, third.added, third.removed],
    [awkwardNames.length, [], []],
  );
  await server.sql("create table added (id int); insert into added values (1)", "world");
  const fourth = await dump("world", "world");
  assert.ok(fourth.added.every((name) => name.includes("world.added.")));
  assert.ok(fourth.added.length > 1, JSON.stringify(fourth.added));
  assert.deepEqual([fourth.changed, fourth.removed], [[], []]);
  await server.sql("create database alone");
  for (const table of awkwardNames.slice(0, 4)) {
    await load(await join("world", "--table", `world.${table}`), "alone");
    assert.equal(await server.sql(`select count(*) from ${quoted(table)}`, "alone"), "3\n");
  }
}

async function manyRows({ server, dump, join, load }: World): Promise<void> {
  await server.sql("create database many");
  // A row each statement: one server with a million of them is enough.
  await fillRows(server, "many", server.kind === "mariadb" ? 1_000_000 : 100_000);
  const first = await dump("many", "many");
  assert.ok(first.files > 100, `${first.files} files`);
  await server.sql(
    "insert into big values (-5,'in front',1,''); update big set amount = 5 where id = 50000; delete from big where id = 77777",
    "many",
  );
  const { changed, added, removed } = await dump("many", "many");
  const moved = [...changed, ...added, ...removed];
  assert.ok(moved.length <= 8, JSON.stringify(moved));
  await server.sql("create database many_again");
  await load(await join("many"), "many_again");
  const sum = "select count(*), sum(crc32(concat(id, name, amount, note))) from big";
  assert.equal(await server.sql(sum, "many_again"), await server.sql(sum, "many"));
  await server.sql("drop database many; drop database many_again");
}

/** Two tables get the same rows, each time in one transaction. */
async function whileWriting({ server, dump, join, load }: World): Promise<void> {
  await server.sql(
    "create database busy; create table busy.a (id int primary key); create table busy.b (id int primary key)",
  );
  await fillRows(server, "busy", 30_000);
  const done = new AbortController();
  const writing = (async () => {
    for (let id = 0; !done.signal.aborted; id += 20) {
      const rows = Array.from({ length: 20 }, (_, at) => `(${id + at})`).join(",");
      await server.sql(
        `begin; insert into a values ${rows}; insert into b values ${rows}; commit`,
        "busy",
      );
    }
  })();
  try {
    for (let round = 0; round < 3; round += 1) {
      await dump("busy", "busy");
      await server.sql("drop database if exists calm; create database calm");
      const only = ["--table", "busy.a", "--table", "busy.b"];
      await load(await join("busy", ...only), "calm");
      const [a, b] = (
        await server.sql("select count(*) from a; select count(*) from b", "calm")
      ).split("\n");
      assert.equal(a, b);
    }
  } finally {
    done.abort();
    await writing;
  }
}

async function severalDatabases({ server, dump, join, load }: World): Promise<void> {
  const names = ["one", "with-dash", "größe"];
  for (const name of names)
    await server.sql(
      `create database ${quoted(name)}; create table ${quoted(name)}.t (id int); insert into ${quoted(name)}.t values (1)`,
    );
  await dump("several", ...names);
  const before = await server.sql("show databases");
  for (const name of names) await server.sql(`drop database ${quoted(name)}`);
  await load(await join("several"));
  assert.equal(await server.sql("show databases"), before);
  assert.equal(await server.sql("select count(*) from `größe`.t"), "1\n");
  const all = await dump("all", "--all-databases");
  assert.ok(all.files > 100);
  const text = (await join("all")).toString();
  assert.ok(text.includes("USE `with-dash`") && text.includes("USE `world`"));
  if (server.kind === "mysql") assert.ok(!/^SET @@GLOBAL.GTID_PURGED/m.test(text));
  await server.sql("create database added; create table added.t (id int)");
  const more = await dump("all", "--all-databases");
  assert.ok(
    more.added.every((name) => name.includes("-added.")) && more.added.length >= 3,
    JSON.stringify(more),
  );
  assert.deepEqual(more.removed, []);
  // The server's own statistics change by themselves.
  assert.ok(
    more.changed.every((name) => name.includes("-mysql.")),
    JSON.stringify(more.changed),
  );
}

/** What the pages say that a user needs who makes dumps. */
async function leastRights({ server, root }: World): Promise<void> {
  const routines =
    server.kind === "mariadb"
      ? ["select on mysql.proc to", "select on mysql.proc from"]
      : ["show_routine on *.* to", "show_routine on *.* from"];
  await server.sql(`create database least; create user least@localhost identified by 'Least-4711';
grant select, show view, trigger, event, lock tables on least.* to least@localhost;
grant ${routines[0]} least@localhost`);
  await server.sql(
    `set global log_bin_trust_function_creators = 1;
create table t (id int primary key); create view v as select id from t;
create trigger tr before insert on t for each row set new.id = new.id + 1;
create procedure p() select 1; create function f() returns int deterministic return 1;
create event e on schedule every 1 day starts '2030-01-01 03:00:00' do select 1;`,
    "least",
  );
  const defaults = path.join(root, "least.cnf");
  const text = `[client]\nuser=least\npassword=Least-4711\nsocket=${server.socket}\n`;
  await writeFile(defaults, text, { mode: 0o600 });
  const to = path.join(root, "least");
  const made = ["--program", server.dumper, "--defaults-file", defaults, "--dump", "least"];
  const split = async (...more: readonly string[]): Promise<Result> => {
    const args = [exporter("mysql-split"), "--to", to, ...made, ...more, "--", "--no-tablespaces"];
    return run(process.execPath, args, { env: { PATH: `${server.bin}:/usr/bin:/bin` } });
  };
  const joined = async (): Promise<string> => {
    const result = await run(process.execPath, [exporter("mysql-join"), to]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  const first = await split();
  assert.equal(first.code, 0, first.stderr);
  const whole = await joined();
  for (const what of [/VIEW `v`/, /TRIGGER `?tr\b/i, /PROCEDURE `p`/, /FUNCTION `f`/, /EVENT `e`/])
    assert.match(whole, what);
  assert.equal((await split()).code, 0);
  // What the user may no longer see is not removed from the set.
  const cases: readonly (readonly [string, RegExp])[] = [
    [routines[1] ?? "", /expected a dump with routines of least, as/],
    ["trigger on least.* from", /with routines of least, triggers of least, as/],
    ["event on least.* from", /routines of least, events of least, triggers of least, as/],
  ];
  for (const [right, message] of cases) {
    await server.sql(`revoke ${right} least@localhost`);
    const { code, stderr } = await split();
    if (code === 1 && (server.kind === "mysql" || right.startsWith("event"))) {
      // Of some, the dump program tells it itself.
      assert.match(stderr, /denied|privilege/i);
      continue;
    }
    assert.equal(code, 5, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /nothing was changed\n.*hint: .*--replace/);
  }
  assert.equal(await joined(), whole);
}

for (const [name, start] of [
  ["MariaDB", startMariadb],
  ["MySQL", startMysql],
] as const)
  test(`a server's dump, split, joined and restored (${name})`, async (t) => {
    const world = await makeWorld(t, await start(t));
    await t.test("every type, name and kind of object comes back", async () => everything(world));
    await t.test("k rows change about k files of a large table", async () => manyRows(world));
    await t.test("a dump taken while writes go on is of one moment", async () =>
      whileWriting(world),
    );
    await t.test("several databases, and all of them", async () => severalDatabases(world));
    await t.test("the least rights do, and fewer remove nothing", async () => leastRights(world));
  });
