import assert from "node:assert/strict";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { MysqlScanner } from "../lib/dumps/mysql.ts";
import type { Section } from "../lib/dumps/scanner.ts";
import { Failure } from "../lib/errors.ts";
import { joinChunks } from "../lib/jobs/join.ts";
import { run, start, type Result } from "./helpers/command.ts";
import {
  damage,
  exporter,
  makeSplitting,
  mysqlDump,
  someRows,
  traces,
} from "./helpers/splitting.ts";

/* Dumps of MySQL as files that change as little as the tables do. */

const shop = [
  { name: "customers", rows: someRows(50) },
  { name: "orders", rows: someRows(8000) },
  { name: "zones", rows: someRows(3) },
];

test("cat * is the dump, and an unchanged one writes nothing", async (t) => {
  const { to, root, split, splitText, join, cat } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  const file = path.join(root, "dump.sql");
  await writeFile(file, dump);
  const quiet = await split([file]);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
  assert.equal((await cat()).toString(), dump);
  const before = await traces(to);
  const again = await splitText(dump);
  assert.deepEqual(await traces(to), before);
  assert.equal(again.unchanged, again.files);
  assert.ok(again.files > 12, `${again.files} files`);
  const joined = await join([]);
  assert.deepEqual([joined.code, joined.stdout === dump, joined.stderr], [0, true, ""]);
  const output = path.join(root, "joined.sql");
  const told = await join(["-o", output, "--json"]);
  assert.deepEqual(JSON.parse(told.stdout), {
    version: 1,
    kind: "join",
    only_verified: false,
    program: "mysqldump",
    program_version: "9.7.4",
    files: again.files,
    bytes: dump.length,
  });
  assert.equal(await readFile(output, "utf8"), dump);
  for (const name of await readdir(to, { recursive: true })) {
    const { mode } = await stat(path.join(to, name));
    assert.equal(mode & 0o077, 0, name);
  }
  assert.match(
    (await split(["-v", file])).stderr,
    /^mysql-split: \d+ files \(.*\): \d+ unchanged; 0 B written\n$/,
  );
});

test("one row changes one file, one table its own files", async (t) => {
  const { splitText, cat } = await makeSplitting(t);
  const [customers, orders, zones] = shop;
  assert.ok(customers !== undefined && orders !== undefined && zones !== undefined);
  await splitText(mysqlDump(shop));
  const rows = [...orders.rows];
  rows.splice(4000, 0, "123456,'one more'");
  const more = await splitText(mysqlDump([customers, { ...orders, rows }, zones]));
  assert.deepEqual([more.changed.length, more.added, more.removed], [1, [], []]);
  rows.splice(2000, 1);
  rows[6000] = "999,'changed'";
  const other = await splitText(mysqlDump([customers, { ...orders, rows }, zones]));
  assert.deepEqual([other.changed.length, other.added, other.removed], [2, [], []]);
  const added = { name: "deliveries", rows: someRows(3000) };
  const wider = mysqlDump([customers, added, { ...orders, rows }, zones]);
  const wide = await splitText(wider);
  assert.deepEqual([wide.changed, wide.removed], [[], []]);
  assert.ok(wide.added.every((name) => name.includes("shop.deliveries.")));
  assert.equal((await cat()).toString(), wider);
  const less = await splitText(
    mysqlDump([customers, added, zones], "-- Dump completed on 2026-11-21  3:00:00\n"),
  );
  assert.ok(less.removed.every((name) => name.includes("shop.orders.")));
  assert.ok(less.changed.every((name) => name.endsWith("-tail.sql")));
});

test("what is no whole dump is refused and leaves the files as they were", async (t) => {
  const { to, root, split, splitText } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  await splitText(dump);
  const before = await traces(to);
  const cases: readonly (readonly [string | Buffer, number, RegExp])[] = [
    [dump.slice(0, -20), 1, /-- Dump completed.*cut off/],
    [dump.slice(0, 100_000), 1, /cut off/],
    [dump.trimEnd(), 1, /cut off/],
    [dump.slice(0, dump.lastIndexOf("UNLOCK TABLES;") + 12), 1, /cut off/],
    [`${dump.slice(0, dump.lastIndexOf("\nUNLOCK TABLES;"))}\nBOOK TABLE`, 1, /cut off/],
    ["", 1, /expected a dump, found nothing/],
    [gzipSync(dump), 2, /found gzip\n.*hint: .*gzip -dc/],
    ['<?xml version="1.0"?>\n<mysqldump/>\n', 2, /found XML/],
    ["INSERT INTO t VALUES (1);\n", 2, /found another text\n.*--skip-comments/],
    ["--\n-- PostgreSQL database dump\n--\n\n", 2, /pg-split/],
  ];
  for (const [input, code, message] of cases) {
    const result = await split([], { input });
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, message);
  }
  const missing = await split([path.join(root, "missing.sql")]);
  assert.equal(missing.code, 2);
  const directory = await split([root]);
  assert.match(directory.stderr, /found a directory/);
  const now = await traces(to);
  // A directory's time tells of files that came and went.
  assert.deepEqual(
    now.filter((line) => !line.startsWith(".split")),
    before.filter((line) => !line.startsWith(".split")),
  );
});

test("dumps one after another are refused, and what only looks like them is taken", async (t) => {
  const { split, splitText } = await makeSplitting(t);
  const [one, other] = [mysqlDump(shop.slice(0, 1)), mysqlDump(shop.slice(2))];
  const between = one.indexOf("\n--\n-- Dumping data");
  for (const dumps of [
    one + other,
    one +
      other.replace(
        "-- MySQL dump 10.13",
        "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19",
      ),
    one + other.slice(other.indexOf("-- MySQL")) + other,
    // The first one was cut off: between tables, and amid rows.
    one.slice(0, between) + other,
    one.slice(0, between + 500) + other,
  ]) {
    const { code, stderr } = await split(["--replace"], { input: dumps });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /expected one dump, found another one behind it\n.*hint: .*--databases/);
  }
  const title =
    "-- Host: localhost    Database: shop\n-- ------------------------------------------------------";
  const alike = `DELIMITER ;;
CREATE PROCEDURE p() begin
-- Dump completed
-- MySQL dump 10.13
--
${title}
LOCK TABLES t WRITE;
end ;;
DELIMITER ;
`;
  const rows = [
    "1,'\\n-- Dump completed\\n-- MySQL dump 10.13\\n--\\n-- Host: ; LOCK TABLES `t` WRITE;'",
  ];
  await splitText(mysqlDump([{ name: "t", rows, after: alike }, ...shop.slice(2)]));
});

test("a directory that holds anything else is refused before anything is made there", async (t) => {
  const { to, root, splitText, split } = await makeSplitting(t);
  const dump = mysqlDump(shop.slice(0, 1));
  await mkdir(to);
  await writeFile(path.join(to, "holiday.jpg"), "");
  const foreign = await split([], { input: dump });
  assert.equal(foreign.code, 5);
  assert.match(foreign.stderr, /found holiday\.jpg/);
  assert.deepEqual(await readdir(to), ["holiday.jpg"]);
  await rm(path.join(to, "holiday.jpg"));
  await splitText(dump);
  const alike = path.join(to, "0000000001-00000001-mine.sql");
  await writeFile(alike, "");
  assert.equal((await split([], { input: dump })).code, 5);
  await rm(alike);
  for (const [args, message] of [
    [["--to", "", "--all-databases"], /expected --dump with --all-databases/],
    [["a.sql", "b.sql"], /expected one dump, found 2/],
    [["--chunk-size", "1K"], /64 KiB to 64 MiB/],
    [["--dump"], /expected databases behind --dump/],
    [
      ["--dump", "a", "--", "--password=secret"],
      /options that can be used here, found --password\n/,
    ],
    [["--dump", "a", "--", "--pa=secret"], /found --pa\n/],
    [["--dump", "a", "--", "--loose_password=secret"], /found --loose_password\n/],
    [["--dump", "a", "--", "-psecret"], /found -p\n/],
    [["--dump", "a", "--", "--tab=/tmp"], /found --tab\n.*writes files of its own/],
    [["--set", "a.b=c"], /reads none/],
  ] as const) {
    const wrong = await split(args);
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, message);
    assert.ok(!wrong.stderr.includes("secret"));
  }
  assert.deepEqual(await readdir(root), ["split"]);
});

test("a reader that ends before the dump does is an error, for it has half of it", async (t) => {
  const { to, splitText } = await makeSplitting(t);
  await splitText(mysqlDump(shop));
  const script = '{ "$0" "$1" "$2"; echo "$?" >&2; } | true';
  const { stderr } = await run("sh", ["-c", script, process.execPath, exporter("mysql-join"), to]);
  assert.match(
    stderr,
    /^mysql-join: error: standard output: expected a reader of all .*\nmysql-join: hint: .*\n1\n$/,
  );
});

test("a dry run tells what it would do, and changes nothing", async (t) => {
  const { to, root, split, splitText } = await makeSplitting(t);
  const first = await split(["-n", "--json"], { input: mysqlDump(shop) });
  assert.equal(first.code, 0);
  assert.deepEqual(await readdir(root), []);
  await splitText(mysqlDump(shop));
  const before = await traces(to);
  const { code, stdout } = await split(["-n"], { input: mysqlDump(shop.slice(1)) });
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^removed {2}\d+-\d+-shop\.customers\.structure\.sql\nremoved {2}.*customers\.data\.sql\n$/,
  );
  assert.deepEqual(await traces(to), before);
});

test("files that were damaged or lost come back, and a lost manifest too", async (t) => {
  const { to, split, splitText, cat, join } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  await splitText(dump);
  const files = (await readdir(to)).filter((name) => name.includes("orders.data"));
  const [damaged = "", lost = ""] = files.slice(2);
  await damage(path.join(to, damaged));
  const verified = await join(["--verify"]);
  assert.equal(verified.code, 4);
  assert.ok(verified.stderr.includes(`${damaged}: expected the hash`), verified.stderr);
  const joined = await join([]);
  assert.deepEqual([joined.code, joined.stdout], [4, ""]);
  await rm(path.join(to, lost));
  assert.match(
    (await join(["--verify"])).stderr,
    /expected the file that the manifest names, found none/,
  );
  const mended = await split([], { input: dump });
  assert.match(mended.stderr, /was gone: written anew/);
  assert.equal((await cat()).toString(), dump);
  assert.equal((await join(["--verify"])).code, 0);
  const manifest = path.join(to, ".split/manifest");
  const text = await readFile(manifest, "utf8");
  for (const spoil of [
    async () => rm(manifest),
    async () => writeFile(manifest, text.slice(0, -9)),
  ]) {
    await spoil();
    assert.equal((await join([])).code, 5);
    const again = await split(["--json"], { input: dump });
    assert.match(again.stderr, /made anew from \d+ files/);
    assert.match(again.stdout, /"changed":\[\],"added":\[\],"removed":\[\]/);
    assert.equal(await readFile(manifest, "utf8"), text);
  }
  await writeFile(manifest, text.replace('"version":1', '"version":2'));
  assert.match((await split([], { input: dump })).stderr, /found version 2/);
});

test("a file that is damaged between both reads ends the dump before it", async (t) => {
  const { to, splitText } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  await splitText(dump);
  const files = (await readdir(to)).filter((name) => name.includes("orders.data")).toSorted();
  const world = {
    signal: new AbortController().signal,
    now: () => new Date(),
    events: { warn: assert.fail, detail: () => {}, progress: () => {} },
  };
  const handedOn: string[] = [];
  await assert.rejects(
    joinChunks({ directory: to, command: "test" }, world, async (bytes) => {
      if (handedOn.length === 0) await damage(path.join(to, files.at(-1) ?? ""));
      handedOn.push(bytes.toString());
    }),
    (error: unknown) => error instanceof Failure && error.outcome === "difference",
  );
  assert.ok(handedOn.length > files.length && dump.startsWith(handedOn.join("")));
});

test("a dump of something else is refused, unless it is to take the place", async (t) => {
  const { to, root, split, splitText, join, cat } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  const posts = mysqlDump([{ name: "posts", rows: someRows(2000) }]);
  const blog = posts.replace("Database: shop", "Database: blog");
  await splitText(dump);
  const manifest = path.join(to, ".split/manifest");
  const text = await readFile(manifest, "utf8");
  for (const [args, input] of [
    [[], blog],
    [["-n"], blog],
    [[], mysqlDump([])],
  ] as const) {
    const result = await split(args, { input });
    assert.deepEqual([result.code, result.stdout], [5, ""], result.stderr);
    assert.match(result.stderr, /none of its tables or databases; nothing.*\n.*hint: .*--replace/);
    assert.equal((await cat()).toString(), dump);
    assert.equal(await readFile(manifest, "utf8"), text);
    assert.deepEqual(await readdir(path.join(to, ".split/staged")), []);
  }
  await rm(manifest);
  assert.equal((await split([], { input: blog })).code, 5);
  await splitText(dump);
  await splitText(posts);
  await splitText(blog, "--replace");
  assert.equal((await cat()).toString(), blog);
  await splitText(mysqlDump([]), "--replace");
  await splitText(dump);
  // Of PostgreSQL, even with names that are alike.
  const pgDump =
    "--\n-- PostgreSQL database dump\n--\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
  const pgSplit = async (...args: readonly string[]): Promise<Result> =>
    run(process.execPath, [exporter("pg-split"), "--to", to, ...args], { input: pgDump });
  const other = await pgSplit();
  assert.equal(other.code, 5, other.stderr);
  assert.match(other.stderr, /one of mysqldump, found one of pg_dump;/);
  assert.equal((await cat()).toString(), dump);
  assert.equal((await pgSplit("--replace")).code, 0);
  assert.equal((await cat()).toString(), pgDump);
  assert.equal((await split([], { input: mysqlDump([]) })).code, 5);
  const inside = path.join(to, "out.sql");
  await symlink(to, path.join(root, "alias"));
  for (const file of [inside, path.join(root, "alias/out.sql")]) {
    const joined = await join(["-o", file]);
    assert.equal(joined.code, 2, joined.stderr);
    assert.match(joined.stderr, /expected an output outside of .*split/);
  }
  assert.equal((await join(["--verify"])).code, 0);
});

test("symbolic links in the directory are refused, and nothing is done where they lead", async (t) => {
  const { to, root, split, splitText, join } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  await splitText(dump);
  const outside = path.join(root, "outside");
  const chunk = (await readdir(to)).find((name) => !name.startsWith(".")) ?? "";
  for (const name of [".split", ".split/staged", ".split/manifest", chunk]) {
    const [own, away] = [path.join(to, name), path.join(outside, path.basename(name))];
    await mkdir(outside);
    await rename(own, away);
    if (name === ".split/staged") await writeFile(path.join(away, "00000000"), "not to be removed");
    await symlink(away, own);
    const before = await traces(outside);
    for (const result of [await split([], { input: mysqlDump([]) }), await join(["--verify"])]) {
      assert.equal(result.code, 5, result.stderr);
      assert.match(result.stderr, /expected only files of a split dump in .*, found /);
    }
    assert.deepEqual(await traces(outside), before);
    await rm(own);
    await rename(away, own);
    await rm(outside, { recursive: true });
  }
  assert.equal((await split([], { input: dump })).code, 0);
});

test("one table is joined without what creates its database", async (t) => {
  const { splitText, join } = await makeSplitting(t);
  const trigger =
    "DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW\n--\n-- Table structure for table `lure`\n--\n\nSET @a = 1 ;;\nDELIMITER ;\n";
  const text = mysqlDump([
    { ...shop[1], name: "orders", rows: someRows(2000), after: trigger },
    { name: "a.b`c", rows: ["1"] },
  ]);
  const dump = text
    .replace(
      "\n--\n-- Table structure",
      "\n--\n-- Current Database: `shop`\n--\n\nCREATE DATABASE `shop`;\n\nUSE `shop`;\n\n--\n-- Table structure",
    )
    .replaceAll("`a.b`c`", "`a.b``c`");
  await splitText(dump);
  const orders = await join(["--table", "shop.orders"]);
  assert.equal(orders.code, 0, orders.stderr);
  assert.ok(!orders.stdout.includes("USE `shop`") && !orders.stdout.includes("a.b"));
  assert.ok(orders.stdout.includes(trigger) && orders.stdout.endsWith("-- Dump completed\n"));
  assert.ok(orders.stdout.startsWith("-- MySQL dump"));
  const other = await join(["--table", "shop.a.b`c"]);
  assert.ok(other.stdout.includes("`a.b``c`") && !other.stdout.includes("`orders`"));
  const missing = await join(["--table", "shop.lure"]);
  assert.equal(missing.code, 2);
});

test("a dump that is written while it is split, and one from a pipe that ends early", async (t) => {
  const { to, splitText, cat } = await makeSplitting(t);
  const dump = mysqlDump(shop);
  await splitText(dump);
  const args = [exporter("mysql-split"), "--to", to, "--chunk-size", "64K"];
  const live = start(process.execPath, args, { typing: true });
  const { stdin } = live.child;
  assert.ok(stdin !== null);
  // It is stopped before it has read all.
  stdin.on("error", () => {});
  stdin.write(mysqlDump([{ name: "orders", rows: someRows(9000, 50_000) }]).slice(0, 300_000));
  // Another one, meanwhile.
  while (!(await readdir(path.join(to, ".split/staged"))).length && live.child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const second = await start(process.execPath, [...args, "/dev/null"]).done;
  assert.equal(second.code, 75, second.stderr);
  assert.match(second.stderr, /another run holds the lock: mysql-split/);
  live.kill("SIGTERM");
  const ended = await live.done;
  assert.equal(ended.code, 130, ended.stderr);
  assert.deepEqual(await readdir(path.join(to, ".split/staged")), []);
  assert.equal((await cat()).toString(), dump);
});

function sectionsOf(dump: string, step: number): { at: number; section: Section }[] {
  const bytes = Buffer.from(dump);
  const scanner = new MysqlScanner();
  const found: { at: number; section: Section }[] = [];
  let decided = 0;
  for (let end = 0; ;) {
    const last = end === bytes.length;
    end = Math.min(end + step, bytes.length);
    const scanned = scanner.scan(bytes, decided, end, last);
    found.push(...scanned.starts);
    decided = scanned.decided;
    if (last) break;
  }
  assert.equal(decided, bytes.length);
  scanner.finish();
  return found;
}

test("sections are found however the bytes come", () => {
  const dump = mysqlDump([
    { name: "a", rows: someRows(40) },
    {
      name: "with\n-- Table `x`".replaceAll("`", "``"),
      rows: [],
      after: "DELIMITER ;;\nCREATE TRIGGER x ;;\nDELIMITER ;\n",
    },
    { name: "c", rows: ["'UNLOCK TABLES;'"] },
  ]);
  const whole = sectionsOf(dump, 2 ** 30);
  assert.deepEqual(
    whole.map(({ section: { kind, table } }) => `${kind} ${JSON.stringify(table)}`),
    [
      'structure "a"',
      'data "a"',
      ...["structure", "data", "triggers"].map((kind) => `${kind} "with\\nTable \`x\`"`),
      'structure "c"',
      'data "c"',
      "tail undefined",
    ],
  );
  for (const { at } of whole) assert.ok(at === 0 || dump[at - 1] === "\n");
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), (step) => {
      assert.deepEqual(sectionsOf(dump, step), whole);
    }),
    { numRuns: 30 },
  );
});

/** With the lines of replication, and the date. */
function withGtid(gtid: string, date: string): string {
  return mysqlDump(shop.slice(0, 1), `-- Dump completed on ${date}\n`)
    .replace(
      "\n--\n-- Table",
      `SET @@SESSION.SQL_LOG_BIN= 0;\n\n--\n-- GTID state at the beginning of the backup \n--\n\nSET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '${gtid}';\n\n--\n-- Position to start replication or point-in-time recovery from\n--\n\n-- CHANGE MASTER TO MASTER_LOG_POS=${gtid.length};\n\n--\n-- Table`,
    )
    .replace(
      "/*!40103 SET TIME_ZONE=@OLD",
      "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n/*!40103 SET TIME_ZONE=@OLD",
    );
}

test("lines that change each time, such as a GTID, have a small file of their own", async (t) => {
  const { splitText, cat, to } = await makeSplitting(t);
  await splitText(withGtid("a:1-9", "2026-11-21  3:00:00"));
  const dump = withGtid("a:1-10", "2026-11-22  3:00:01");
  const { changed, added, removed } = await splitText(dump);
  assert.deepEqual([...added, ...removed], []);
  assert.deepEqual(
    changed.map((name) => name.replace(/^[\d-]+-/, "")),
    ["position.sql", "position.sql", "tail.sql"],
  );
  for (const name of changed) assert.ok((await stat(path.join(to, name))).size < 300);
  assert.equal((await cat()).toString(), dump);
});

test("statements longer than a chunk, and bytes of any charset", async (t) => {
  const { splitText, cat, join } = await makeSplitting(t);
  const every = Buffer.from(Array.from({ length: 256 }, (_, at) => at)).filter(
    (byte) => byte !== 10,
  );
  const [begin = "", end = ""] = mysqlDump([{ name: "blobs", rows: ["1,'<>'"] }]).split("<>");
  const dump = Buffer.concat([
    Buffer.from(begin),
    ...Array.from({ length: 3000 }, () => every),
    Buffer.from(end),
  ]);
  const { files } = await splitText(dump);
  assert.ok(files >= 9, `${files} files`);
  assert.ok((await cat()).equals(dump));
  assert.ok((await join([])).stdoutBytes.equals(dump));
  const again = await splitText(dump);
  assert.equal(again.unchanged, files);
});

test("a file that can't be read is told", async (t) => {
  const { root, split } = await makeSplitting(t);
  const file = path.join(root, "dump.sql");
  await writeFile(file, mysqlDump(shop));
  await chmod(file, 0);
  const result = await split([file], { unprivileged: true });
  assert.equal(result.code, 2);
  assert.match(result.stderr, /found .*dump\.sql: EACCES/);
});
