import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import { BSON } from "mongodb";
import { documentPath, isShardName } from "../lib/documents/place.ts";
import { takeBuffered } from "../lib/documents/rawpage.ts";
import { findRaw, rawBytes } from "../lib/documents/server.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { id } from "./helpers/mongodocuments.ts";
import { everyId, everyValue, insert, makeMongoWorld } from "./helpers/mongoworld.ts";

/* What an export writes, leaves alone and removes; on a real server. */

const server = await startMongo({ after });

test("every type of id gives a file that holds the document as it is", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "ids",
    everyId().map((_id) => ({ _id, ...everyValue() })),
  );
  const result = await world.export();
  assert.equal(result.outcome, "done");
  const [collection] = result.collections;
  assert.equal(collection?.documents, everyId().length);
  assert.equal(collection?.added, everyId().length);
  const names = world.names();
  assert.equal(names.length, everyId().length);
  assert.ok(names.some((name) => name.endsWith("/s-text.bson")));
  for (const name of names) assert.ok(path.basename(name).length <= 120, name);
  for (const value of world.files().values()) assert.match(value, / 600$/);
  const directories = readdirSync(world.to, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(path.join(world.to, name)))
    .filter((each) => each.isDirectory());
  assert.ok(directories.every(({ mode }) => (mode & 0o777) === 0o700));
});

test("the driver's cursor is as we know it: documents are taken from the server's answer", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    Array.from({ length: 2500 }, (_, at) => ({ _id: at })),
  );
  const cursor = findRaw(world.db, "docs", {}, {});
  cursor.readBufferedDocuments = () => {
    throw new Error("the driver was asked");
  };
  const ids: unknown[] = [];
  while (await cursor.hasNext()) {
    const page = takeBuffered(cursor);
    assert.equal(cursor.bufferedCount(), 0);
    ids.push(...page.map((bytes) => BSON.deserialize(rawBytes(bytes))["_id"] as unknown));
  }
  const expected = Array.from({ length: 2500 }, (_, at) => at);
  assert.deepEqual(
    ids.toSorted((a, b) => Number(a) - Number(b)),
    expected,
  );
});

test("an unchanged run writes nothing, one changed document changes one file", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = world.db.collection<{ _id: number; v: number }>("docs");
  await docs.insertMany(Array.from({ length: 2500 }, (_, at) => ({ _id: at, v: 0 })));
  await world.export();
  const first = world.files();
  const states = statSync(path.join(world.to, ".mongo-export/state", world.db.databaseName));
  const second = await world.export();
  assert.deepEqual(world.files(), first);
  assert.deepEqual(
    statSync(path.join(world.to, ".mongo-export/state", world.db.databaseName)).mtimeMs,
    states.mtimeMs,
  );
  assert.equal(second.collections[0]?.changed, 0);

  await docs.updateOne({ _id: 77 }, { $set: { v: 1 } });
  const third = await world.export();
  assert.equal(third.collections[0]?.changed, 1);
  assert.deepEqual(differing(first, world.files()), [pathOf(world.names(), "i-77.bson")]);

  await docs.deleteMany({ _id: { $in: [1, 2, 3] } });
  await docs.insertOne({ _id: 9999, v: 0 });
  const before = world.files();
  const fourth = await world.export();
  assert.deepEqual(
    [
      fourth.collections[0]?.added,
      fourth.collections[0]?.removed,
      fourth.collections[0]?.documents,
    ],
    [1, 3, 2498],
  );
  assert.equal(differing(before, world.files()).length, 4);
  assert.equal(world.names().length, 2498);
});

test("gone documents take their directories with them, long ids too", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    everyId().map((_id) => ({ _id })),
  );
  await world.export();
  await world.db.collection("docs").deleteMany({});
  const result = await world.export();
  assert.equal(result.collections[0]?.removed, everyId().length);
  const directory = path.join(world.to, world.db.databaseName, "docs");
  assert.deepEqual(readdirSync(directory), ["metadata.bson"]);
});

test("dropped and excluded collections go, and what lies beside them stays", async (t) => {
  const world = await makeMongoWorld(t, server);
  for (const name of ["stays", "goes", "a/b.c😀", "cache.x"])
    await insert(world.db, name, [{ v: 1 }]);
  await world.export();
  const database = path.join(world.to, world.db.databaseName);
  assert.deepEqual(readdirSync(database).toSorted(), [
    "a%2fb.c%f0%9f%98%80",
    "cache.x",
    "goes",
    "stays",
  ]);
  await writeFile(path.join(database, "goes", "notes.txt"), "mine");
  await world.db.collection("goes").drop();
  await world.db.collection("a/b.c😀").drop();
  const dry = await world.export({ dryRun: true, exclude: ["*.cache*"] });
  assert.equal(dry.dropped.length, 3);
  assert.equal(world.names().length, 4);
  const result = await world.export({ exclude: ["*.cache*"] });
  assert.equal(result.dropped.length, 3);
  assert.deepEqual(readdirSync(database).toSorted(), ["goes", "stays"]);
  assert.deepEqual(readdirSync(path.join(database, "goes")), ["notes.txt"]);
  assert.ok(world.warnings.some((text) => text.includes("left as it is")));
});

test("all databases of a server, and one that was dropped; another server's stays", async (t) => {
  if (server.kind === "given") return;
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ v: 1 }]);
  await insert(world.client.db(world.copy), "docs", [{ v: 1 }]);
  const all = world.uri.replace(/\/rb_test\w+/, "/");
  const { readUri } = await import("../lib/documents/uri.ts");
  const uris = [readUri(all, "test")];
  await world.export({ uris });
  const [one, two] = [world.db.databaseName, world.copy];
  assert.ok(existsSync(path.join(world.to, one)) && existsSync(path.join(world.to, two)));
  assert.ok(!existsSync(path.join(world.to, "admin")));
  await rename(path.join(world.to, two), path.join(world.to, "elsewhere"));
  await insert(world.client.db(world.copy), "docs", [{ v: 1 }]);
  await world.export({ uris });
  await world.client.db(world.copy).dropDatabase();
  await world.export({ uris });
  assert.ok(existsSync(path.join(world.to, one)));
  assert.ok(!existsSync(path.join(world.to, two)));
  assert.ok(existsSync(path.join(world.to, "elsewhere")), "it was never exported under that name");
  await assert.rejects(world.export({ uris: [...uris, readUri(world.uri, "test")] }), {
    outcome: "usage",
    message: /expected each database once/,
  });
});

test("what is no export is refused as a target", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ v: 1 }]);
  await assert.rejects(world.export({ to: world.root }), {
    outcome: "refused",
    message: /expected an empty directory or an export, found .*uri$/,
  });
  assert.deepEqual(readdirSync(world.root), ["uri"]);
});

test("a lost or damaged state is made anew; files are not written again", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    everyId().map((_id) => ({ _id })),
  );
  await world.export();
  const first = world.files();
  const state = path.join(world.to, ".mongo-export/state", world.db.databaseName, "docs.state");
  await rm(state);
  const second = await world.export();
  assert.equal(second.collections[0]?.added, 0);
  assert.ok(existsSync(state));
  await writeFile(state, "damaged");
  await rm(path.join(world.to, ".mongo-export/origins.json"));
  await world.export();
  assert.deepEqual(world.files(), first);
  // The directory without what is the exporter's own, as a backup may bring it back.
  await rm(path.join(world.to, ".mongo-export"), { recursive: true });
  await world.export();
  assert.deepEqual(world.files(), first);
});

/** The file of a document that an export doesn't hold. */
function extraPath(at: number): string {
  return documentPath(id(`extra ${at}`));
}

test("--repair brings back what is missing and removes what is too much; twice, it looks into the files", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    everyId().map((_id) => ({ _id })),
  );
  await world.export();
  const [lost = "", cut = "", wrong = ""] = world.names();
  const directory = path.join(world.to, world.db.databaseName, "docs");
  const shards = readdirSync(directory).filter(isShardName);
  const numbers = Array.from({ length: 65_536 }, (_, at) => at);
  const at = numbers.find((each) => shards.includes(path.dirname(extraPath(each)))) ?? 0;
  const extra = path.join(directory, extraPath(at));
  // Else the times of the directories tell that something was changed.
  const copy = path.join(world.root, "copy");
  execFileSync("cp", ["-a", directory, copy]);
  await rm(path.join(world.to, lost));
  await writeFile(extra, BSON.serialize({ _id: `extra ${at}` }));
  await writeFile(path.join(world.to, cut), "cut", { mode: 0o600 });
  await writeFile(path.join(world.to, wrong), BSON.serialize({ _id: "other" }));
  for (const shard of shards)
    execFileSync("touch", ["-r", path.join(copy, shard), path.join(directory, shard)]);
  await world.export();
  assert.ok(!existsSync(path.join(world.to, lost)), "nothing was asked to be repaired");

  const once = await world.export({ checks: "names" });
  assert.ok(existsSync(path.join(world.to, lost)));
  assert.ok(!existsSync(extra));
  assert.equal(statSync(path.join(world.to, cut)).size, 3, "contents were not asked for");
  assert.deepEqual([once.collections[0]?.added, once.collections[0]?.removed], [1, 1]);
  const twice = await world.export({ checks: "contents" });
  assert.equal(twice.collections[0]?.added, 2);
  assert.notEqual(statSync(path.join(world.to, cut)).size, 3);
  const verified = await world.import();
  assert.equal(verified.outcome, "done");
});

test("write-once collections: known documents are not read again", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = world.db.collection<{ _id: number; v: number }>("log");
  await docs.insertMany(Array.from({ length: 1500 }, (_, at) => ({ _id: at, v: 0 })));
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.log = write-once\n");
  await world.export({ config });
  await docs.insertMany(Array.from({ length: 1200 }, (_, at) => ({ _id: 5000 + at, v: 0 })));
  await docs.updateOne({ _id: 3 }, { $set: { v: 1 } });
  await docs.deleteOne({ _id: 4 });
  const { collections } = await world.export({ config });
  const [log] = collections;
  assert.deepEqual([log?.added, log?.changed, log?.removed], [1200, 0, 1]);
  const size = BSON.serialize({ _id: 1, v: 0 }).length;
  assert.equal(log?.bytes, 1200 * size, "only the new ones were read");
  assert.equal(world.names().length, 2699);
});

test("ids of every type are found again in a write-once collection", async (t) => {
  const world = await makeMongoWorld(t, server);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.log = write-once\n");
  await insert(world.db, "log", [{ _id: "first" }]);
  await world.export({ config });
  const ids = [...everyId(), { "2": 1, "1": 2 }];
  await insert(
    world.db,
    "log",
    ids.map((_id) => ({ _id })),
  );
  const result = await world.export({ config });
  assert.equal(result.collections[0]?.documents, ids.length + 1);
  assert.equal(world.names().length, ids.length + 1);
});

test("a field with a time: what is older is not read again", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = world.db.collection<{ _id: number; at?: Date | string; v: number }>("orders");
  const old = new Date("2024-01-01T00:00:00Z");
  const now = new Date();
  await docs.insertMany(Array.from({ length: 500 }, (_, at) => ({ _id: at, at: old, v: 0 })));
  await docs.insertMany([
    { _id: 1000, at: now, v: 0 },
    { _id: 1001, v: 0 },
    { _id: 1002, at: "no date", v: 0 },
    { _id: 1003, at: new Date("2999-01-01T00:00:00Z"), v: 0 },
  ]);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.orders = timestamp at overlap 10m\n");
  await world.export({ config });
  await docs.updateOne({ _id: 1 }, { $set: { v: 1, at: new Date() } });
  for (const _id of [1001, 1002, 1003]) await docs.updateOne({ _id }, { $set: { v: 1 } });
  // Against the rule, and so not seen.
  await docs.updateOne({ _id: 2 }, { $set: { v: 1 } });
  await docs.deleteOne({ _id: 3 });
  await docs.insertOne({ _id: 2000, at: old, v: 0 });
  const { collections } = await world.export({ config });
  const [orders] = collections;
  assert.deepEqual([orders?.added, orders?.changed, orders?.removed], [1, 4, 1]);
  assert.ok((orders?.bytes ?? 0) < 10 * 60, `${orders?.bytes} bytes were read`);
  const full = await world.export();
  assert.deepEqual([full.collections[0]?.added, full.collections[0]?.changed], [0, 1]);
});

test("kinds that can't be exported rightly are told, and the rest is exported", async (t) => {
  const world = await makeMongoWorld(t, server);
  await world.db.createCollection("series", { timeseries: { timeField: "t" } });
  await insert(world.db, "docs", [{ v: 1 }]);
  const result = await world.export();
  assert.equal(result.outcome, "partial");
  assert.match(result.missing[0]?.reason ?? "", /a time series collection/);
  assert.equal(world.names().length, 1);
  assert.equal((await world.export({ exclude: ["*.series"] })).outcome, "done");
});

test("a sharded cluster is refused", async (t) => {
  const world = await makeMongoWorld(t, server);
  world.proxy.hello.set("msg", "isdbgrid");
  await assert.rejects(world.export(), { outcome: "refused", message: /a sharded cluster/ });
});

test("documents that come and go during the export do no harm", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = world.db.collection<{ _id: number; v: number }>("docs");
  await docs.insertMany(Array.from({ length: 5000 }, (_, at) => ({ _id: at, v: 0 })));
  const stop = new AbortController();
  const writer = (async () => {
    for (let at = 0; !stop.signal.aborted; at += 1) {
      await docs.insertOne({ _id: 10_000 + at, v: 0 });
      await docs.updateOne({ _id: at % 5000 }, { $inc: { v: 1 } });
      await docs.deleteOne({ _id: 4999 - at });
    }
  })();
  for (let round = 0; round < 3; round += 1) assert.equal((await world.export()).outcome, "done");
  stop.abort();
  await writer;
  await world.export();
  assert.equal(world.names().length, await docs.countDocuments());
  assert.equal((await world.import()).outcome, "done");
});

function differing(a: Map<string, string>, b: Map<string, string>): readonly string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
}

function pathOf(names: readonly string[], end: string): string {
  return names.find((name) => name.endsWith(`/${end}`)) ?? "";
}
