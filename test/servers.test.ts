// The database servers of the tests: they start, answer, ask for a password, and leave nothing behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { MongoClient } from "mongodb";
import { projectRoot, run, start } from "./helpers/command.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { mariadbPrograms, startMariadb } from "./helpers/mariadb.ts";
import { startMysql } from "./helpers/mysql.ts";
import type { MysqlOptions, MysqlServer } from "./helpers/mysqlserver.ts";
import { postgresVersions, startPostgres } from "./helpers/postgres.ts";
import type { Scope } from "./helpers/s3server.ts";

/** A scope that the test ends itself. */
function makeScope(): { readonly scope: Scope; readonly end: () => Promise<void> } {
  const actions: (() => unknown)[] = [];
  return {
    scope: { after: (action) => void actions.push(action) },
    end: async () => {
      for (const action of actions) await action();
    },
  };
}

/** A process that was reaped is gone; one that only its new parent hasn't fetched yet counts as gone too. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "State:\tX");
  return !/^State:\t[XZ]/m.test(status);
}

const kinds: readonly {
  readonly title: string;
  readonly begin: (scope: Scope, more?: MysqlOptions) => Promise<MysqlServer>;
  readonly version: RegExp;
}[] = [
  { title: "MariaDB", begin: startMariadb, version: /^1[0-9]\..*MariaDB/ },
  { title: "MySQL", begin: startMysql, version: /^(8|9|1[0-9])\.[0-9.]+(-|$)(?!.*MariaDB)/ },
];

for (const { title, begin, version } of kinds) {
  test(`${title} starts, answers with a password only, dumps, and leaves nothing behind`, async (t) => {
    const { scope, end } = makeScope();
    t.after(end);
    const server = await begin(scope);
    assert.match(server.version, version);
    assert.equal(await server.sql("select 1, 'a\tb'; select user()"), "1\ta\tb\nroot@localhost\n");
    await assert.rejects(server.sql("select * from nowhere.nothing"), /nowhere/);
    const over = ["--protocol=tcp", "--host=127.0.0.1", `--port=${server.port}`, "--user=root"];
    const named = await run(server.client, [
      `--defaults-file=${server.defaultsFile}`,
      ...over,
      "-e",
      "select 1",
    ]);
    assert.equal(named.code, 0, named.stderr);
    const without = await run(server.client, ["--no-defaults", ...over, "-e", "select 1"]);
    assert.match(without.stderr, /Access denied/);
    const dump = await run(server.dumper, [
      `--defaults-file=${server.defaultsFile}`,
      "--all-databases",
    ]);
    assert.equal(dump.code, 0, dump.stderr);
    assert.match(dump.stdout, /^-- Dump completed/m);
    // An orderly end keeps what was written, for another server on the same files.
    await server.sql("create database kept; create table kept.t select 4711 n");
    await server.stop();
    const again = await begin(scope, {
      dataDirectory: server.dataDirectory,
      options: ["--max-connections=17"],
    });
    assert.equal(
      await again.sql("select n from t; select @@max_connections", "kept"),
      "4711\n17\n",
    );
    await again.kill();
    assert.ok(!(await isAlive(again.pid)));
    await end();
    assert.ok(!existsSync(server.directory) && !existsSync(again.directory));
  });
}

test("mariadb-backup goes with MariaDB", async () => {
  const result = await run(mariadbPrograms().backup, ["--version"]);
  assert.match(`${result.stdout}${result.stderr}`, /based on MariaDB server 1[0-9]\./);
});

for (const version of postgresVersions) {
  test(`PostgreSQL (${version}) starts, answers with a password only, dumps, and leaves nothing behind`, async (t) => {
    const { scope, end } = makeScope();
    t.after(end);
    const server = await startPostgres(scope, version);
    const major = Number.parseInt(server.version, 10);
    assert.ok(version === "new" ? major >= 18 : major >= 13, server.version);
    assert.equal(await server.sql("select 1, 'b'; select current_user"), "1\tb\npostgres\n");
    await assert.rejects(server.sql("select * from nothing"), /nothing/);
    for (const host of [server.socketDirectory, "127.0.0.1"]) {
      const env = { ...server.environment, PGHOST: host };
      const psql = path.join(server.bin, "psql");
      const named = await run(psql, ["-w", "-d", "postgres", "-c", "select 1"], { env });
      assert.equal(named.code, 0, named.stderr);
      const bare = { ...env, PGPASSFILE: "/nonexistent" };
      const without = await run(psql, ["-w", "-d", "postgres", "-c", "select 1"], { env: bare });
      assert.match(without.stderr, /no password supplied/);
    }
    // It starts pg_dump for each database.
    const dump = await run(path.join(server.bin, "pg_dumpall"), ["-w"], {
      env: server.environment,
    });
    assert.equal(dump.code, 0, dump.stderr);
    assert.match(dump.stdout, /^-- PostgreSQL database cluster dump complete/m);
    await end();
    assert.ok(!existsSync(server.directory));
    assert.ok(!(await isAlive(server.pid)));
  });
}

test("a server for MongoDB's protocol starts, checks passwords, and leaves nothing behind", async (t) => {
  const { scope, end } = makeScope();
  t.after(end);
  const server = await startMongo(scope);
  const name = `rclone_backups_${process.pid}`;
  const client = new MongoClient(server.uri);
  try {
    await client
      .db(name)
      .collection("c")
      .insertMany([{ x: 1 }, { x: 2 }]);
    assert.equal(await client.db(name).collection("c").countDocuments(), 2);
    await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
  if (server.password !== undefined) {
    const wrong = new MongoClient(server.uri.replace(server.password, "wrong"));
    await assert.rejects(wrong.connect(), /Authentication failed/);
    await wrong.close();
  }
  await server.kill();
  if (server.kind !== "given") {
    const gone = new MongoClient(server.uri, { serverSelectionTimeoutMS: 100 });
    await assert.rejects(gone.connect());
    await gone.close();
  }
});

for (const [title, file, call] of [
  ["MariaDB", "mariadb", "startMariadb(scope)"],
  ["PostgreSQL", "postgres", 'startPostgres(scope, "old")'],
] as const) {
  test(`${title} dies with a test that is killed`, async () => {
    const helper = pathToFileURL(path.join(projectRoot, `test/helpers/${file}.ts`)).href;
    const code = `import { ${call.split("(")[0]} } from ${JSON.stringify(helper)};
const scope = { after: () => {} };
const server = await ${call};
console.log("started", server.pid, server.directory);
setInterval(() => {}, 1000);`;
    const names = Object.keys(process.env).filter((name) => name.startsWith("RCLONE_"));
    const env = Object.fromEntries(
      ["PATH", "HOME", "XDG_CACHE_HOME", ...names].map((name) => [name, process.env[name] ?? ""]),
    );
    const args = ["--import", "tsx", "--input-type=module", "-e", code];
    const live = start(process.execPath, args, { cwd: projectRoot, env });
    const [, pid = "", directory = ""] = await live.waitFor(/started (\d+) (\S+)/);
    assert.ok(await isAlive(Number(pid)));
    live.kill("SIGKILL");
    await live.done;
    while (await isAlive(Number(pid))) await sleep(20);
    await rm(directory, { recursive: true, force: true });
  });
}
