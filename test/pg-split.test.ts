import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { chmod, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { run, start, type Result, type RunOptions } from "./helpers/command.ts";
import { expectSuccess } from "./helpers/database.ts";
import { everything, narrowRows } from "./helpers/pgdatabase.ts";
import {
  postgresVersions,
  startPostgres,
  type PostgresServer,
  type PostgresVersion,
} from "./helpers/postgres.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { damage, exporter } from "./helpers/splitting.ts";

/* Dumps of real PostgreSQL servers, split into files and joined again. */

interface World extends PostgresServer {
  /** Where dumps are split to; not there at first. */
  readonly to: string;
  split: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** With --json and --dump of this database; what differs is named. */
  splitAgain: (...args: readonly string[]) => Promise<Difference>;
  join: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** Runs a client of the server; it has to succeed. */
  client: (name: string, args: readonly string[], options?: RunOptions) => Promise<Result>;
}

interface Difference {
  readonly files: number;
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

async function makeWorld(t: TestContext, version: PostgresVersion): Promise<World> {
  const server = await startPostgres(t, version);
  const env = {
    ...server.environment,
    PATH: `${server.bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
  };
  const to = path.join(server.directory, "split");
  const command =
    (name: string): World["split"] =>
    async (args, options = {}) =>
      run(process.execPath, [exporter(name), ...args], {
        ...options,
        env: { ...env, ...options.env },
      });
  const split = command("pg-split");
  return {
    ...server,
    to,
    split,
    splitAgain: async (...args) => {
      const { code, stdout, stderr } = await split(["--json", "--to", to, ...args]);
      assert.equal(code, 0, stderr);
      const found: unknown = JSON.parse(stdout);
      assert.ok(isDifference(found), stdout);
      return found;
    },
    join: command("pg-join"),
    client: async (name, args, options = {}) =>
      expectSuccess(path.join(server.bin, name), args, { ...options, env }),
  };
}

function isDifference(value: unknown): value is Difference {
  return (
    typeof value === "object" &&
    value !== null &&
    "files" in value &&
    ["changed", "added", "removed"].every((key) =>
      Array.isArray(Object.entries(value).find(([name]) => name === key)?.[1]),
    )
  );
}

/** All that a directory holds, with what would tell that something was written. */
function traces(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ["", ...readdirSync(directory, { recursive: true, encoding: "utf8" })]) {
    // The lock names who holds it, and a run that fails has staged files.
    if (/^\.split\/(?:lock|staged)$/.test(name)) continue;
    const { ino, mtimeMs, mode, size } = lstatSync(path.join(directory, name));
    found[name] = [ino, mtimeMs, mode.toString(8), size].join(" ");
  }
  return found;
}

function concatenated(directory: string): Buffer {
  const names = readdirSync(directory).filter((name) => !name.startsWith("."));
  return Buffer.concat(names.toSorted().map((name) => readFileSync(path.join(directory, name))));
}

function keyIn(dump: Buffer): string {
  const key = /^\\restrict (\w+)$/m.exec(dump.toString())?.[1];
  assert.ok(key !== undefined);
  return `--restrict-key=${key}`;
}

/** Bytes are compared by this: a difference of large ones takes long to print. */
function assertSame(one: Buffer, other: Buffer): void {
  if (one.equals(other)) return;
  const lines = [one, other].map((each) => each.toString().split("\n"));
  const at = lines[0]?.findIndex((line, index) => line !== lines[1]?.[index]) ?? 0;
  assert.fail(`line ${at + 1}: ${lines.map((each) => each[at]).join("\n         ")}`);
}

const strict = ["-X", "-q", "-v", "ON_ERROR_STOP=1"];

for (const version of postgresVersions) {
  test(`a database of every type and name: cat is the dump, and it comes back (${version})`, async (t) => {
    const world = await makeWorld(t, version);
    const { to, sql, split, join, client } = world;
    await sql("CREATE DATABASE one; CREATE DATABASE two");
    await sql(everything, "one");
    const first = await split(["--dump", "one", "--to", to]);
    assert.deepEqual([first.code, first.stdout, first.stderr], [0, "", ""]);
    for (const [name, trace] of Object.entries(traces(to)))
      assert.match(
        trace,
        name.endsWith(".sql") || name.endsWith("manifest") ? / 100600 / : / 40700 /,
        name,
      );
    const cat = concatenated(to);
    const key = keyIn(cat);
    const dump = await client("pg_dump", [key, "one"]);
    assertSame(cat, dump.stdoutBytes);
    const before = traces(to);
    const again = await split(["-v", "--dump", "one", "--to", to]);
    assert.match(again.stderr, /^pg-split: \d+ files \(.*\): \d+ unchanged; 0 B written\n$/);
    assert.deepEqual(traces(to), before);
    assert.equal((await join(["--verify", to])).code, 0);
    const joined = await join([to]);
    assertSame(joined.stdoutBytes, cat);
    await client("psql", [...strict, "-d", "two"], { input: joined.stdoutBytes });
    assertSame((await client("pg_dump", [key, "two"])).stdoutBytes, cat);
    const renewed = await world.splitAgain("--new-key", "--dump", "one");
    assert.deepEqual(
      renewed.changed.map((name) => name.replace(/^[\d-]+/, "")),
      ["head.sql", "tail.sql"],
    );
    assert.notEqual(keyIn(concatenated(to)), key);
  });

  test(`other ways to write a dump: cat is the dump (${version})`, async (t) => {
    const { to, sql, split, client } = await makeWorld(t, version);
    await sql("CREATE DATABASE one; CREATE DATABASE latin; CREATE DATABASE kanji");
    await sql(everything, "one");
    await sql("CREATE TABLE é (ü text); INSERT INTO é VALUES ('ÿ''')", "latin");
    // Their second bytes in Shift JIS are a backslash and a bar.
    await sql("CREATE TABLE 表 (ポ text); INSERT INTO 表 VALUES ('ソ''表')", "kanji");
    const ways = [
      ["pg_dump", "--create", "--verbose", "one"],
      ["pg_dump", "--clean", "--if-exists", "--inserts", "one"],
      ["pg_dump", "--encoding=LATIN1", "latin"],
      ["pg_dump", "--encoding=SJIS", "--inserts", "kanji"],
      ["pg_dump", "--column-inserts", "--rows-per-insert=2", "--disable-dollar-quoting", "one"],
      ["pg_dump", "--schema-only", "--no-owner", "one"],
      ["pg_dumpall"],
    ];
    for (const [program = "", ...args] of ways) {
      const { stdoutBytes: dump } = await client(program, args);
      const { code, stderr } = await split(["--replace", "--to", to], { input: dump });
      assert.equal(code, 0, stderr);
      assertSame(concatenated(to), dump);
    }
    const archive = path.join(path.dirname(to), "archive");
    await client("pg_dump", ["--format=custom", `--file=${archive}`, "one"]);
    const { stdoutBytes: plain } = await client("pg_restore", ["--file=-", archive]);
    const { code, stderr } = await split(["--replace", "--to", to], { input: plain });
    assert.equal(code, 0, stderr);
    assertSame(concatenated(to), plain);
  });
}

function countFiles({ changed, added, removed }: Difference): number {
  return changed.length + added.length + removed.length;
}

test("a million rows come back; few files change with them, and another table has its own", async (t) => {
  const { sql, to, splitAgain, join, client } = await makeWorld(t, "new");
  await sql("CREATE DATABASE one; CREATE DATABASE two");
  await sql(
    `${narrowRows("rows", 1_000_000)}CLUSTER rows USING rows_pkey;
CREATE TABLE "rows 2" (id serial PRIMARY KEY, at integer REFERENCES rows (id)); CREATE INDEX ON "rows 2" (at)`,
    "one",
  );
  const again = async (): Promise<Difference> =>
    splitAgain("--chunk-size", "256K", "--dump", "one");
  const { files } = await again();
  assert.ok(files > 100, `${files} files`);
  await client("psql", [...strict, "-d", "two"], { input: (await join([to])).stdoutBytes });
  const sums = "SELECT count(*), sum(hashtext(rows::text)) FROM rows";
  assert.equal(await sql(sums, "two"), await sql(sums, "one"));
  // CLUSTER puts each row to its place.
  await sql(
    "DELETE FROM rows WHERE id = 500000; INSERT INTO rows VALUES (500000, 'new'); CLUSTER rows",
    "one",
  );
  assert.ok(countFiles(await again()) <= 2, "one row was changed");
  await sql("INSERT INTO rows VALUES (0, 'new'); CLUSTER rows", "one");
  assert.ok(countFiles(await again()) <= 2, "a row came at the beginning");
  await sql("DELETE FROM rows WHERE id % 200000 = 77; CLUSTER rows", "one");
  const deleted = countFiles(await again());
  assert.ok(deleted >= 5 && deleted <= 10, `five rows were deleted: ${deleted} files`);
  await sql(
    `CREATE TABLE "rows 1" (id serial PRIMARY KEY, at integer REFERENCES rows (id), CONSTRAINT a CHECK (at > 0));
INSERT INTO "rows 1" (at) VALUES (1), (2); CREATE INDEX ON "rows 1" (at); GRANT SELECT ON "rows 1" TO PUBLIC;
COMMENT ON TABLE "rows 1" IS 'x'; ALTER TABLE "rows 1" ENABLE ROW LEVEL SECURITY`,
    "one",
  );
  const table = await again();
  assert.deepEqual([table.changed, table.removed], [[], []]);
  for (const name of table.added)
    assert.match(readFileSync(path.join(to, name), "utf8"), /rows 1/, name);
  await sql('DROP TABLE "rows 1"', "one");
  const dropped = await again();
  assert.deepEqual([dropped.changed, dropped.added], [[], []]);
  assert.deepEqual(dropped.removed, table.added);
});

test("all databases: they come back on another server, and one table of them elsewhere", async (t) => {
  const [world, other] = [await makeWorld(t, "new"), await makeWorld(t, "new")];
  const { to, sql, split, join, client, splitAgain } = world;
  await sql(`CREATE ROLE "it's me" LOGIN PASSWORD 'x'; ALTER ROLE "it's me" SET search_path = a, b;
CREATE DATABASE "two words"; CREATE DATABASE one OWNER "it's me"; COMMENT ON DATABASE one IS 'one'; CREATE DATABASE zero;
ALTER DATABASE one SET work_mem = '8MB'; GRANT CONNECT ON DATABASE one TO "it's me"`);
  await sql(everything, "one");
  await sql("CREATE TABLE here (a integer); INSERT INTO here VALUES (1)", "two words");
  const whole = ["--dump", "--all-databases"];
  const first = await split([...whole, "--to", to]);
  assert.deepEqual([first.code, first.stdout, first.stderr], [0, "", ""]);
  const cat = concatenated(to);
  const key = keyIn(cat);
  assertSame(cat, (await client("pg_dumpall", [key])).stdoutBytes);
  assert.deepEqual((await splitAgain(...whole)).changed, []);
  // The role that restores is there already.
  await other.client("psql", ["-X", "-q"], { input: (await join([to])).stdoutBytes });
  assertSame((await other.client("pg_dumpall", [key])).stdoutBytes, cat);
  await sql("CREATE TABLE there (a serial)", "two words");
  const table = await splitAgain(...whole);
  assert.deepEqual([table.changed, table.removed], [[], []]);
  await sql("DROP DATABASE zero");
  const dropped = await splitAgain(...whole);
  assert.deepEqual([dropped.changed, dropped.added], [[], []]);
  await sql("CREATE DATABASE scratch");
  const tables = ['one.public.a "quoted" one', "one.public.plain"];
  const some = await join([...tables.flatMap((name) => ["--table", name]), to]);
  assert.equal(some.code, 0, some.stderr);
  assert.doesNotMatch(some.stdout, /^\\connect/m);
  await sql(
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "scratch",
  );
  await client("psql", [...strict, "-d", "scratch"], { input: some.stdoutBytes });
  for (const query of [
    "SELECT * FROM plain",
    'SELECT * FROM "a ""quoted"" one"',
    "SELECT nextval('plain_id_seq')",
  ])
    assert.equal(await sql(query, "scratch"), await sql(query, "one"));
  const missing = await join(["--table", "public.plain", to]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /expected a table of the dump, found .*public\.plain/);
});

test("a partitioned table and its partitions come back alone, with valid indexes", async (t) => {
  const { sql, to, splitAgain, join, client } = await makeWorld(t, "new");
  await sql("CREATE DATABASE one; CREATE DATABASE scratch; CREATE DATABASE parent");
  await sql(
    `CREATE TABLE ev (id integer, at date, x text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
     CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
     CREATE TABLE "ev 2" PARTITION OF ev FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') PARTITION BY LIST (id);
     CREATE TABLE ev3 PARTITION OF "ev 2" FOR VALUES IN (2, 3);
     CREATE INDEX ON ev (x);
     INSERT INTO ev VALUES (1, '2026-05-05', 'x'), (2, '2027-05-05', 'a')`,
    "one",
  );
  await splitAgain("--dump", "one");
  const indexes =
    "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid::regclass::text ~ '^.?ev' ORDER BY 1";
  const there = async (database: string): Promise<string[]> =>
    (await sql(indexes, database)).trimEnd().split("\n").toSorted();
  const restore = async (database: string, ...tables: readonly string[]): Promise<void> => {
    const joined = await join([...tables.flatMap((name) => ["--table", name]), to]);
    assert.equal(joined.code, 0, joined.stderr);
    await client("psql", [...strict, "-d", database], { input: joined.stdoutBytes });
  };
  await restore("scratch", "public.ev", "public.ev1", "public.ev 2", "public.ev3");
  assert.equal((await there("one")).length, 8);
  assert.deepEqual(await there("scratch"), await there("one"));
  // A partition alone, where somebody has made its parent without indexes.
  await sql("CREATE TABLE ev (id integer, at date, x text) PARTITION BY RANGE (at)", "parent");
  await sql("ALTER TABLE ev ALTER id SET NOT NULL, ALTER at SET NOT NULL", "parent");
  await restore("parent", "public.ev1");
  assert.equal(await sql("SELECT count(*) FROM ev", "parent"), "1\n");
});

test("a dump taken while writes go on is of one moment", async (t) => {
  const { sql, to, split, join, bin, environment } = await makeWorld(t, "old");
  await sql(
    "CREATE TABLE accounts (id integer PRIMARY KEY, amount integer); INSERT INTO accounts SELECT at, 100 FROM generate_series(1, 1000) at",
  );
  const writer = start(
    path.join(bin, "psql"),
    [
      "-X",
      "-c",
      "DO $$ BEGIN FOR at IN 1..10000000 LOOP UPDATE accounts SET amount = amount - 7 WHERE id = at % 1000; UPDATE accounts SET amount = amount + 7 WHERE id = (at * 7) % 999 + 1; IF at % 1000 <> 0 THEN COMMIT; ELSE ROLLBACK; END IF; END LOOP; END $$",
    ],
    { env: environment },
  );
  try {
    for (let turn = 0; turn < 3; turn += 1) {
      const { code, stderr } = await split(["--dump", "postgres", "--to", to]);
      assert.equal(code, 0, stderr);
      const { stdout } = await join(["--table", "public.accounts", to]);
      const amounts = [...stdout.matchAll(/^\d+\t(-?\d+)$/gm)].map(([, amount]) => Number(amount));
      assert.equal(amounts.length, 1000);
      const sum = amounts.reduce((total, amount) => total + amount, 0);
      assert.equal(sum, 100_000);
    }
    assert.equal(writer.child.exitCode, null);
  } finally {
    writer.killGroup("SIGKILL");
    await writer.done;
  }
});

test("a damaged file amid rows: nothing is written, and psql has nothing to commit", async (t) => {
  const { to, sql, splitAgain, join, bin, environment } = await makeWorld(t, "old");
  await sql("CREATE DATABASE one; CREATE DATABASE two");
  // An empty database first: its tables may come later.
  await splitAgain("--dump", "one");
  await sql(`CREATE TABLE first (a integer);${narrowRows("rows", 20_000)}`, "one");
  await splitAgain("--chunk-size", "64K", "--dump", "one");
  const files = readdirSync(to).filter((name) => name.endsWith("-public.rows.data.sql"));
  const [, , damaged = ""] = files.toSorted();
  await damage(path.join(to, damaged));
  const joined = await join([to]);
  assert.deepEqual([joined.code, joined.stdout], [4, ""]);
  assert.ok(joined.stderr.includes(`${damaged}: expected the hash`), joined.stderr);
  const script = '"$0" "$1" "$2" | psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d two';
  const piped = await run("sh", ["-c", script, process.execPath, exporter("pg-join"), to], {
    env: { ...environment, PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}` },
  });
  assert.ok(piped.stderr.includes(damaged), piped.stderr);
  const found = "SELECT count(*) FROM pg_tables WHERE tablename IN ('first', 'rows')";
  assert.deepEqual([await sql(found, "one"), await sql(found, "two")], ["2\n", "0\n"]);
  // One that is whole comes alone.
  assert.equal((await join(["--table", "public.first", to])).code, 0);
});

test("what is no whole dump in plain format changes nothing", async (t) => {
  const { to, sql, split, client, directory, splitAgain } = await makeWorld(t, "old");
  await sql("CREATE DATABASE one");
  await sql(everything, "one");
  await splitAgain("--dump", "one");
  const before = traces(to);
  const { stdoutBytes: dump } = await client("pg_dump", ["one"]);
  const refuse = async (
    args: readonly string[],
    code: number,
    message: RegExp,
    options?: RunOptions,
  ): Promise<void> => {
    const result = await split(["--to", to, ...args], options);
    assert.match(result.stderr, message);
    assert.equal(result.code, code, result.stderr);
    assert.equal(result.stdout, "");
    assert.deepEqual(traces(to), before);
  };
  for (const part of [0, 0.3, 0.7, 0.999])
    await refuse([], 1, /expected/, { input: dump.subarray(0, Math.floor(dump.length * part)) });
  await refuse([], 1, /cut off/, { input: dump.subarray(0, -20) });
  const archive = path.join(directory, "archive");
  for (const [format, message] of [
    ["custom", /custom format[^]*pg_restore -f -/],
    ["tar", /tar format[^]*pg_restore -f -/],
    ["directory", /found a directory/],
  ] as const) {
    await client("pg_dump", [`--format=${format}`, `--file=${archive}`, "one"]);
    await refuse([archive], 2, message);
    await rm(archive, { recursive: true });
  }
  await refuse([], 2, /found gzip\n.*gzip -dc FILE/, { input: gzipSync(dump) });
  await refuse([], 2, /mysql-split/, { input: "-- MySQL dump 10.13\n" });
  await refuse(["--dump", "none"], 1, /database "none" does not exist[^]*exit code 1/);
  await refuse(
    ["--dump", "one", "--program", "no-such-program"],
    1,
    /no-such-program: expected a program/,
  );
  await refuse(["--dump", "one", "--", "-Fc"], 2, /found -F\n.*plain format/);
  await writeFile(path.join(to, "notes.txt"), "");
  const foreign = await split(["--dump", "one", "--to", to]);
  assert.equal(foreign.code, 5);
  assert.match(foreign.stderr, /found .*notes\.txt/);
});

test("passwords come from a file, a service or the environment, and show nowhere", async (t) => {
  const { to, split, password, passwordFile, environment, directory } = await makeWorld(t, "old");
  const { PGHOST = "", PGPORT = "", PGUSER = "" } = environment;
  const service = path.join(directory, "services");
  await writeFile(
    service,
    `[shop]\nhost=${PGHOST}\nport=${PGPORT}\nuser=${PGUSER}\ndbname=postgres\npassword=${password}\n`,
  );
  const wrong = path.join(directory, "wrong");
  await writeFile(wrong, "*:*:*:*:Wrong-and-secret\n");
  for (const file of [service, wrong]) await chmod(file, 0o600);
  const none = { PGPASSFILE: "/dev/null" };
  const expected: readonly (readonly [readonly string[], Record<string, string>, number])[] = [
    [["--dump", "postgres", "--password-file", passwordFile], none, 0],
    [["--dump", "service=shop"], { ...none, PGSERVICEFILE: service }, 0],
    [["--dump", "postgres"], { ...none, PGPASSWORD: password }, 0],
    [["--dump", "postgres"], none, 1],
    [["--dump", "postgres", "--password-file", wrong], none, 1],
    [["--dump", `postgresql://postgres:${password}@${PGHOST}/postgres`], none, 2],
    [["--dump", `dbname=postgres password=${password}`], none, 2],
    [["--dump", "postgres", "--", "-d", `postgresql:///postgres?password=${password}`], none, 2],
  ];
  for (const [args, env, code] of expected) {
    const result = await split(["-vv", "--to", to, ...args], { env });
    assert.equal(result.code, code, result.stderr);
    const shown = result.stdout + result.stderr;
    assert.ok(!shown.includes(password) && !shown.includes("Wrong-and-secret"), shown);
  }
});

test("kill -9 while the dump waits: pg_dump goes too, and the next run does it all", async (t) => {
  const { to, sql, split, directory, bin, environment, splitAgain } = await makeWorld(t, "new");
  await sql("CREATE TABLE t (a integer); INSERT INTO t VALUES (1)");
  await splitAgain("--dump", "postgres");
  await sql("INSERT INTO t VALUES (2)");
  const before = concatenated(to);
  const holder = start(path.join(bin, "psql"), ["-X", "-q"], { env: environment, typing: true });
  holder.child.stdin?.write("BEGIN; LOCK TABLE t;\n\\echo locked\n");
  await holder.waitFor(/locked/);
  const killed = start(process.execPath, [exporter("pg-split"), "--dump", "postgres", "--to", to], {
    env: { ...environment, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
  });
  const waiting = async (): Promise<boolean> =>
    (await sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'")) !==
    "0\n";
  while (!(await waiting())) assert.equal(killed.child.exitCode, null);
  const busy = await split(["--dump", "postgres", "--to", to]);
  assert.equal(busy.code, 75, busy.stderr);
  killed.kill("SIGKILL");
  await killed.done;
  holder.child.stdin?.end("COMMIT;\n");
  await holder.done;
  while (await waiting());
  assertSame(concatenated(to), before);
  const { changed, added, removed } = await splitAgain("--dump", "postgres");
  assert.deepEqual([changed.length, added, removed], [1, [], []]);
  assert.ok((await readdir(directory)).length > 0);
});

const smallest = `--
-- PostgreSQL database dump
--

-- Dumped by pg_dump version 15.1

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: me
--

COPY public.t (a) FROM stdin;
1
\\.


--
-- PostgreSQL database dump complete
--

`;

test("without a server: options that don't go together, dry runs, and damage", async (t) => {
  const { root, env } = await makeSandbox(t);
  const to = path.join(root, "split");
  const command = async (name: string, args: readonly string[]): Promise<Result> =>
    run(process.execPath, [exporter(name), ...args], { env, input: smallest });
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["pg-split", [], /expected --to DIRECTORY, found none/],
    ["pg-split", ["--to", to, "--program", "x"], /expected --dump with --program, found it alone/],
    ["pg-split", ["--to", to, "--new-key"], /expected --dump with --new-key, found it alone/],
    ["pg-split", ["--to", to, "--dump"], /expected one database behind --dump, or --all-databases/],
    ["pg-split", ["--to", to, "--dump", "a", "--all-databases"], /expected one database/],
    ["pg-split", ["--to", to, "a.sql", "b.sql"], /expected one dump, found 2/],
    ["pg-split", ["--to", to, "no-such-file"], /no-such-file: ENOENT/],
    ["pg-split", ["--to", to, "--chunk-size", "1K"], /--chunk-size: expected 64 KiB to 64 MiB/],
    ["pg-join", ["--verify", "--output", "x", to], /expected one of --output and --verify/],
    ["pg-join", ["--json", to], /expected --json with --output or --verify/],
  ];
  for (const [name, args, message] of wrong) {
    const { code, stdout, stderr } = await command(name, args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
    if (!args.includes("--json")) assert.equal(stdout, "");
  }
  const dry = await command("pg-split", ["-n", "--to", to]);
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(
    dry.stdout,
    /^added {4}0001000000-.*-head\.sql\nadded.*data\.sql\nadded.*tail\.sql\n$/,
  );
  assert.deepEqual(readdirSync(root).includes("split"), false);
  assert.equal((await command("pg-split", ["--to", to])).code, 0);
  const verified = await command("pg-join", ["--json", "--verify", to]);
  assert.deepEqual(JSON.parse(verified.stdout), {
    version: 1,
    kind: "join",
    only_verified: true,
    program: "pg_dump",
    program_version: "15.1",
    files: 3,
    bytes: smallest.length,
  });
  const file = path.join(root, "joined.sql");
  assert.equal((await command("pg-join", ["--output", file, to])).code, 0);
  assert.equal(readFileSync(file, "utf8"), smallest);
  const data = readdirSync(to).find((name) => name.endsWith("data.sql")) ?? "";
  await writeFile(path.join(to, data), "x".repeat(lstatSync(path.join(to, data)).size));
  const damaged = await command("pg-join", ["--output", file, to]);
  assert.equal(damaged.code, 4);
  assert.ok(damaged.stderr.includes(data), damaged.stderr);
  assert.equal(readFileSync(file, "utf8"), smallest);
});
