import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { beyondSession } from "../lib/dumps/session.ts";
import { run } from "./helpers/command.ts";
import { expectSuccess } from "./helpers/database.ts";
import { startMariadb } from "./helpers/mariadb.ts";
import { startPostgres } from "./helpers/postgres.ts";
import { exporter, makeSplitting, mysqlDump } from "./helpers/splitting.ts";

/* What joins some tables brings back these tables, and does nothing else to the server. */

test("PostgreSQL: a dump with --clean drops nothing but the tables that are joined", async (t) => {
  const server = await startPostgres(t, "new");
  const env = { ...server.environment, PATH: `${server.bin}:${process.env["PATH"] ?? ""}` };
  const psql = async (database: string, input: string): Promise<string> =>
    (
      await expectSuccess(
        path.join(server.bin, "psql"),
        ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database],
        { env, input },
      )
    ).stdout;
  await psql("postgres", "create database live; create database scratch template template0;");
  await psql(
    "live",
    "create table customers(id int primary key, n text); insert into customers values (1, 'a'); create table invoices(id int references customers); select lo_create(4711);",
  );
  const joined = async (of: string, more: readonly string[], table: string): Promise<string> => {
    const to = path.join(server.directory, more.join(""));
    const split = await run(
      process.execPath,
      [exporter("pg-split"), ...["--to", to, "--dump", of, "--", ...more]],
      { env },
    );
    assert.deepEqual([split.code, split.stderr], [0, ""]);
    const join = await run(process.execPath, [exporter("pg-join"), to, "--table", table], { env });
    assert.deepEqual([join.code, join.stderr], [0, ""]);
    assert.doesNotMatch(join.stdout, /^(?:DROP|ALTER .* DROP|UPDATE|SELECT .*lo_unlink)/m);
    return join.stdout;
  };
  for (const more of [
    ["--clean"],
    ["--clean", "--if-exists", "--create"],
    ["--clean", "--create"],
  ]) {
    await psql("scratch", await joined("live", more, "public.customers"));
    assert.equal(await psql("scratch", "table customers; drop table customers;"), "1|a\n");
  }
  const all = await expectSuccess(path.join(server.bin, "pg_dumpall"), ["--clean", "--if-exists"], {
    env,
  });
  assert.match(all.stdout, /^DROP DATABASE IF EXISTS live;$/m);
  const to = path.join(server.directory, "all");
  const split = await run(process.execPath, [exporter("pg-split"), "--to", to], {
    env,
    input: all.stdout,
  });
  assert.deepEqual([split.code, split.stderr], [0, ""]);
  const one = await run(
    process.execPath,
    [exporter("pg-join"), to, "--table", "live.public.customers"],
    { env },
  );
  assert.deepEqual([one.code, one.stderr], [0, ""]);
  assert.doesNotMatch(one.stdout, /^(?:DROP|UPDATE|ALTER ROLE)/m);
  const databases = "select string_agg(datname, ',' order by datname) from pg_database;";
  assert.match(await psql("postgres", databases), /^live,postgres,scratch,/);
  assert.match(
    await psql("live", "select count(*) from pg_tables where schemaname = 'public';"),
    /^2/,
  );
});

test("MariaDB: where a replica goes on, and accounts, are of no table", async (t) => {
  const server = await startMariadb(t, { options: ["--log-bin=binlog", "--server-id=1"] });
  await server.sql(
    "create database s2; create table s2.a(i int); insert into s2.a values (1); create table s2.b(i int); insert into s2.b values (2); create table s2.c(i int); create trigger s2.tb after insert on s2.b for each row set @x = 1; create database scratch; set global gtid_slave_pos='0-9-5'; change master to master_host='127.0.0.1', master_port=1, master_user='x', master_password='y', master_use_gtid=no",
  );
  const options = [
    ["--master-data=1", "s2"],
    ["--master-data=1", "--gtid", "s2", "b", "a"],
    ["--master-data=1", "--gtid", "s2", "a", "b"],
    ["--dump-slave=1", "--apply-slave-statements", "s2"],
    ["--dump-slave=1", "--gtid", "--apply-slave-statements", "--routines", "s2"],
    ["--system=users,plugins,udfs", "--databases", "s2"],
  ];
  for (const args of options) {
    const { split, join, cat, to } = await makeSplitting(t);
    const dumping = [`--defaults-file=${server.defaultsFile}`, ...args];
    const dump = (await expectSuccess(server.dumper, dumping)).stdout;
    assert.equal((await split([], { input: dump })).code, 0);
    assert.equal((await cat()).toString(), dump);
    // A table without triggers has no file of them.
    assert.deepEqual(
      (await readdir(to)).filter((name) => /triggers|routines/.test(name)).length,
      args.includes("--routines") ? 2 : 1,
      args.join(" "),
    );
    for (const table of args.includes("s2") && args.at(-1) !== "s2"
      ? ["a", "b"]
      : ["a", "b", "c"]) {
      const { code, stdout, stderr } = await join(["--table", `s2.${table}`]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.doesNotMatch(
        stdout,
        /\b(?:MASTER|SLAVES?|GLOBAL|gtid\w*|GRANT|ROLE|PLUGIN|IDENTIFIED)\b|CREATE USER/i,
        args.join(" "),
      );
      assert.equal(stdout.includes("trigger s2.tb"), table === "b");
      await server.sql(stdout.replaceAll("s2.", "scratch."), "scratch");
    }
  }
  // The position is none of the routines that it stands behind.
  const { split } = await makeSplitting(t);
  const dump = async (...more: readonly string[]): Promise<string> =>
    (await expectSuccess(server.dumper, [`--defaults-file=${server.defaultsFile}`, ...more]))
      .stdout;
  const plain = await dump("--routines", "s2");
  assert.equal(
    (await split([], { input: await dump("--master-data=2", "--routines", "s2") })).code,
    0,
  );
  assert.equal((await split([], { input: plain })).code, 0);
});

test("a head that does more than set the session up is not joined for a table", async (t) => {
  const { split, join, cat, root } = await makeSplitting(t);
  const dump = mysqlDump([{ name: "orders", rows: ["1"] }]).replace(
    "\n\n/*!40103 SET",
    "\n\nFLUSH PRIVILEGES secret;\n/*!40103 SET",
  );
  assert.equal((await split([], { input: dump })).code, 0);
  const output = path.join(root, "output");
  for (const more of [[], ["-o", output]]) {
    const { code, stdout, stderr } = await join(["--table", "shop.orders", ...more]);
    assert.deepEqual([code, stdout], [5, ""]);
    assert.match(stderr, /expected what sets a session up and no more, found FLUSH PRIVILEGES\n/);
  }
  assert.deepEqual((await readdir(root)).includes("output"), false);
  assert.equal((await cat()).toString(), dump);
  assert.equal((await join([])).stdout, dump);
});

test("what sets a session up, and what goes beyond", () => {
  const head = { kind: "head" };
  const harmless = [
    "-- a remark; DROP TABLE x;",
    "SET statement_timeout = 0;",
    "SELECT pg_catalog.set_config('search_path', '', false);",
    String.raw`\restrict abc`,
    "/*!40101 SET NAMES utf8mb4 */;",
    String.raw`/*M!999999\- enable the sandbox mode */ `,
    "/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;",
    "SET @@SESSION.SQL_LOG_BIN= 0;",
    "-- from Windows\r",
    "\r",
  ];
  assert.equal(beyondSession(head, Buffer.from(harmless.join("\n"))), undefined);
  for (const line of [
    "DROP DATABASE live;",
    "ALTER TABLE ONLY public.a DROP CONSTRAINT b;",
    "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = 'a';",
    "SELECT pg_catalog.lo_unlink('4711');",
    "SET GLOBAL gtid_slave_pos='0-1-6';",
    "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '';",
    "STOP ALL SLAVES;",
  ]) {
    assert.equal(beyondSession(head, Buffer.from(`${harmless.join("\n")}\n${line}\n`)), line);
    assert.equal(beyondSession({ kind: "data" }, Buffer.from(line)), undefined);
  }
});
