import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { run, type Result } from "./helpers/command.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { insert, makeMongoWorld, type MongoWorld } from "./helpers/mongoworld.ts";

/* What goes wrong in an export: nothing is lost, and the next run is right. */

const server = await startMongo({ after });

function parsed(text: string): Readonly<Record<string, unknown>> {
  return v.parse(v.record(v.string(), v.unknown()), JSON.parse(text));
}

async function fill(world: MongoWorld, count: number): Promise<void> {
  for (let from = 0; from < count; from += 5000)
    await insert(
      world.db,
      "docs",
      Array.from({ length: Math.min(5000, count - from) }, (_, at) => ({
        _id: from + at,
        text: `document ${from + at}`,
      })),
    );
}

test("a connection that breaks in the middle: nothing is removed, and the next run is right", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 6000);
  await world.export();
  const before = world.names().length;
  const docs = world.db.collection<{ _id: number }>("docs");
  await docs.deleteMany({ _id: { $lt: 1000 } });
  await docs.updateMany({ _id: { $gte: 5990 } }, { $set: { changed: true } });
  world.proxy.breakAt(3);
  // A session that sees a point in time, and the read after it, are both tried.
  await assert.rejects(world.export(), { outcome: "failed" });
  assert.equal(world.names().length, before);
  const state = path.join(world.to, ".mongo-export/state", world.db.databaseName);
  assert.deepEqual(readdirSync(state), ["docs.state"], "what was done is remembered");
  const result = await world.export();
  assert.equal(result.collections[0]?.removed, 1000);
  assert.equal(world.names().length, 5000);
});

test("a listing that fails removes nothing", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await world.export();
  const first = world.files();
  world.proxy.failing.set("listCollections", "not authorized");
  await assert.rejects(world.export(), {
    outcome: "failed",
    message: /cannot list the collections of .*not authorized/,
  });
  world.proxy.failing.clear();
  world.proxy.failing.set("find", "not authorized");
  const result = await world.export();
  assert.equal(result.outcome, "partial");
  assert.match(result.missing[0]?.reason ?? "", /not authorized/);
  assert.deepEqual(world.files(), first);
});

test("kill -9 in the middle of 100,000 documents, and again: the rerun is right, and so is the import", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 100_000);
  const args = ["--uri-file", world.uriFile, "--to", world.to];
  for (const many of [200, 800]) {
    const live = world.start("mongo-export", args);
    const place = path.join(world.db.databaseName, "docs");
    const directory = path.join(world.to, ".mongo-export/new", place);
    while (!existsSync(directory) || readdirSync(directory).length < many) await sleep(5);
    live.kill("SIGKILL");
    assert.equal((await live.done).signal, "SIGKILL");
    const state = path.join(world.to, ".mongo-export/state", world.db.databaseName);
    assert.ok(existsSync(path.join(state, "docs.unfinished")));
    assert.ok(!existsSync(path.join(world.to, place)), "a part of it is not shown");
  }
  const rerun = await world.command("mongo-export", [...args, "-v"]);
  assert.equal(rerun.code, 0, rerun.stderr);
  assert.match(rerun.stderr, /100000 documents/);
  const leftovers = readdirSync(world.to, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".tmp"),
  );
  assert.deepEqual(leftovers, []);
  const again = await world.command("mongo-export", [...args, "--json"]);
  const { added, changed, removed, documents } = parsed(again.stdout);
  assert.deepEqual([added, changed, removed, documents], [0, 0, 0, 100_000]);
  const importing = async (): Promise<Result> =>
    world.command("mongo-import", [
      ...["--uri-file", world.uriFile, "--from", world.to, "--as", world.copy, "--json"],
    ]);
  const stopped = world.start("mongo-import", [
    ...["--uri-file", world.uriFile, "--from", world.to, "--as", world.copy],
  ]);
  const copied = world.client.db(world.copy).collection("docs");
  const ended = stopped.done.then(() => true);
  while ((await copied.countDocuments({}, { limit: 1 })) === 0)
    assert.ok(!(await Promise.race([ended, sleep(20, false)])), "it ended before it was stopped");
  stopped.kill("SIGINT");
  assert.equal((await stopped.done).code, 130);
  assert.ok((await copied.countDocuments()) < 100_000, "it was stopped in the middle");
  await world.client.db(world.copy).dropDatabase();
  // Of many packs of files, this one is read last.
  const last = world.names().at(-1) ?? "";
  const file = path.join(world.to, last);
  const content = await readFile(file);
  await writeFile(file, content.subarray(1));
  const partly = await importing();
  assert.equal(partly.code, 3, partly.stderr);
  assert.equal(parsed(partly.stdout)["inserted"], 99_999);
  assert.ok(partly.stderr.includes(`${path.basename(last)}: expected a document`), partly.stderr);
  await rm(file);
  await mkdir(file);
  const failed = await importing();
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /EISDIR/);
  await rmdir(file);
  await writeFile(file, content);
  const imported = await importing();
  assert.equal(imported.code, 0, imported.stderr);
  assert.equal(parsed(imported.stdout)["inserted"], 1);
});

test("a disk that is full in the middle: told, nothing removed, and the next run is right", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 12_000);
  await mkdir(world.to);
  const script = path.resolve(import.meta.dirname, "../dist/exporters/mongo-export.js");
  // Each file takes a page of 4 kB.
  const result = await run(
    "unshare",
    [
      ...["-rm", "sh", "-c"],
      `mount -t tmpfs -o size=6m none "$1" &&
       "$2" "$3" --uri-file "$4" --to "$1"; echo "first $?"
       mount -o remount,size=96m "$1" &&
       "$2" "$3" --uri-file "$4" --to "$1" -v; echo "second $?"
       find "$1" -path '*/docs/*/*.bson' | wc -l`,
      ...["sh", world.to, process.execPath, script, world.uriFile],
    ],
    {},
  );
  assert.match(result.stdout, /first 1\nsecond 0\n12000\n/, result.stderr);
  assert.match(result.stderr, /cannot write .*: the disk is full \(ENOSPC\)/);
});

test("passwords are neither in the process list nor in what is told", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  const secret = "Not%20to%2Fbe-seen";
  const wrong = world.uri.replace(/\/\/(?:[^@/]*@)?/, `//somebody:${secret}@`);
  const shown: string[] = [];
  const live = world.start("mongo-export", [wrong, "--to", world.to, "-v", "-v", "--json"]);
  await live.waitFor(/a password in an argument can be read by others/);
  try {
    shown.push(readFileSync(`/proc/${live.pid}/cmdline`, "latin1"));
  } catch {
    // It has ended already.
  }
  const { code, stdout, stderr } = await live.done;
  if (server.kind === "ferretdb") assert.equal(code, 1, stderr);
  const failing = await world.command("mongo-export", ["--to", world.to, "-v", "-v"], {
    env: { MONGODB_URI: `mongodb://somebody:${secret}@127.0.0.1:1/?serverSelectionTimeoutMS=200` },
  });
  assert.equal(failing.code, 1);
  const usage = await world.command("mongo-export", [
    ...[`http://somebody:${secret}@127.0.0.1/`, "--to", world.to, "-v", "-v", "--json"],
  ]);
  assert.equal(usage.code, 2);
  const option = await world.command("mongo-import", ["--from", world.to, "-v", "-v"], {
    env: { MONGODB_URI: `mongodb://somebody:${secret}@127.0.0.1/?nonsense=${secret}` },
  });
  shown.push(stdout, stderr, failing.stderr, usage.stdout, usage.stderr, option.stderr);
  for (const text of shown) {
    assert.ok(!text.includes(secret), text);
    assert.ok(!text.includes(decodeURIComponent(secret)), text);
  }
});

test("two at once: the second one says so and changes nothing", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 5000);
  const { acquireLock } = await import("../lib/state/lock.ts");
  await mkdir(path.join(world.to, ".mongo-export"), { recursive: true });
  const lock = await acquireLock(path.join(world.to, ".mongo-export/lock"), {
    mode: "exclusive",
    command: "another one",
  });
  const result = await world.command("mongo-export", [
    "--uri-file",
    world.uriFile,
    "--to",
    world.to,
  ]);
  assert.equal(result.code, 75, result.stderr);
  await lock.release();
  assert.deepEqual(readdirSync(world.to), [".mongo-export"]);
});

test("commands: dry run, JSON, exit codes, and silence", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }, { _id: "\u001B[31mred" }]);
  const to = ["--uri-file", world.uriFile, "--to", world.to];
  const dry = await world.command("mongo-export", [...to, "-n"]);
  assert.deepEqual([dry.code, dry.stderr], [0, ""]);
  assert.match(dry.stdout, /2 documents .* 2 would be added/);
  assert.ok(!existsSync(world.to));
  const first = await world.command("mongo-export", to);
  assert.deepEqual([first.code, first.stdout, first.stderr], [0, "", ""]);
  await world.db.createCollection("series", { timeseries: { timeField: "t" } });
  const partial = await world.command("mongo-export", [...to, "--json"]);
  assert.equal(partial.code, 3, partial.stderr);
  const document = parsed(partial.stdout);
  assert.deepEqual(
    [document["version"], document["kind"], document["outcome"], document["exit_code"]],
    [1, "mongo-export", "partial", 3],
  );
  assert.match(partial.stderr, /warning: .*series is not in the export: a time series collection/);
  const bad = path.join(world.root, "bad.ini");
  await writeFile(bad, "[collections]\nshop.x = writeonce\nx\n");
  const config = await world.command("mongo-export", [...to, "--config", bad]);
  assert.equal(config.code, 2);
  assert.match(config.stderr, /bad\.ini:2: expected full, write-once or timestamp FIELD/);
  assert.match(config.stderr, /bad\.ini:3: expected DATABASE\.COLLECTION = MODE/);
  const from = ["--uri-file", world.uriFile, "--from", world.to, "--as", world.copy];
  const imported = await world.command("mongo-import", [...from, "--json"]);
  assert.equal(imported.code, 0, imported.stderr);
  const copy = world.client.db(world.copy).collection<{ _id: number }>("docs");
  await copy.insertOne({ _id: 3 });
  const refused = await world.command("mongo-import", from);
  assert.equal(refused.code, 5, refused.stderr);
  const none = await world.command("mongo-export", ["--to", world.to]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /hint: --uri-file FILE/);
});
