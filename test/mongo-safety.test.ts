import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test, type TestContext } from "node:test";
import { BSON, MongoClient, MongoCompatibilityError } from "mongodb";
import { documentOf, isSound, stringValue } from "../lib/documents/bson.ts";
import { KeptDocuments } from "../lib/documents/kept.ts";
import { extraKey, metadataBytes, readMetadata, type Metadata } from "../lib/documents/metadata.ts";
import { collectionPlace } from "../lib/documents/place.ts";
import { readUri } from "../lib/documents/uri.ts";
import { withSnapshot } from "../lib/jobs/mongo/read.ts";
import { givenUris } from "../lib/jobs/mongo/uris.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { everyId, insert, makeMongoWorld, type MongoWorld } from "./helpers/mongoworld.ts";

/* What must not remove documents that are there, nor pass for whole what is not. */

const server = await startMongo({ after });

async function fill(world: MongoWorld, count: number): Promise<void> {
  await insert(
    world.db,
    "docs",
    Array.from({ length: count }, (_, at) => ({ _id: at, v: 0 })),
  );
}

function below(world: MongoWorld, ...names: readonly string[]): string {
  return path.join(world.to, world.db.databaseName, ...names);
}

/** Changes what the export tells of a collection. */
async function changeMetadata(
  world: MongoWorld,
  collection: string,
  change: Partial<Metadata>,
): Promise<void> {
  const file = below(world, collection, "metadata.bson");
  const metadata = readMetadata(readFileSync(file), file);
  await writeFile(file, metadataBytes({ ...metadata, ...change }));
}

/** What a server lists of a collection. */
function entry(uuid: string): unknown {
  const info = { readOnly: false, uuid: new BSON.UUID(uuid) };
  return { name: "docs", type: "collection", options: {}, info };
}

/** Cursors end without a word instead of their next page. */
function endCursors({ proxy, db }: MongoWorld): void {
  const ended = { id: BSON.Long.ZERO, ns: `${db.databaseName}.docs`, nextBatch: [] };
  proxy.answers.set("getMore", () => ({ ok: 1, cursor: ended }));
}

test("a cursor that ends too early without an error removes nothing that is there", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 3000);
  // The number 7 is one of those that are there.
  const ids = everyId().filter((each) => !(each instanceof BSON.Int32));
  await insert(
    world.db,
    "docs",
    ids.map((_id) => ({ _id })),
  );
  await world.export();
  const names = world.names();
  await world.db.collection<{ _id: number }>("docs").deleteMany({ _id: { $in: [5, 2500] } });
  endCursors(world);
  const result = await world.export();
  assert.equal(result.outcome, "done");
  assert.deepEqual([result.collections[0]?.removed, result.collections[0]?.added], [2, 0]);
  assert.equal(world.names().length, names.length - 2);
});

test("a collection that is renamed while it is read: told, and nothing is removed", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 6000);
  await world.export();
  const before = world.files();
  world.proxy.answers.set("getMore", async () => {
    world.proxy.answers.clear();
    await world.db.collection("docs").rename("other");
  });
  const result = await world.export();
  assert.equal(result.outcome, "partial");
  assert.deepEqual(world.files(), before);
  const next = await world.export();
  assert.deepEqual([next.outcome, next.dropped.length], ["done", 1]);
  assert.equal(world.names().length, 6000);
});

test("a collection that was made anew while it was read: told, and nothing is removed", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 10);
  await world.export();
  const before = world.files();
  await world.db.collection("docs").deleteMany({});
  const uuids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
  world.proxy.answers.set("listCollections", ({ $db }) => ({
    ok: 1,
    cursor: {
      id: BSON.Long.ZERO,
      ns: `${String($db)}.x`,
      firstBatch: [entry(uuids.shift() ?? "")],
    },
  }));
  const result = await world.export();
  assert.equal(result.outcome, "partial");
  assert.match(result.missing[0]?.reason ?? "", /made anew while it was read/);
  assert.deepEqual(world.files(), before);
});

test("a user that may not see all databases: the export fails, and none is removed", async (t) => {
  if (server.kind === "given") return;
  const world = await makeMongoWorld(t, server);
  await fill(world, 1);
  const uris = [readUri(world.uri.replace(/\/rb_test\w+/, "/"), "test")];
  await world.export({ uris });
  const before = world.files();
  world.proxy.answers.set("listDatabases", ({ authorizedDatabases }) =>
    authorizedDatabases === false
      ? { ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized on admin" }
      : { ok: 1, databases: [] },
  );
  await assert.rejects(world.export({ uris }), { outcome: "failed", message: /not authorized/ });
  assert.deepEqual(world.files(), before);
});

test("a server without databases: failed, and nothing is removed, unless that is asked for", async (t) => {
  if (server.kind === "given") return;
  const world = await makeMongoWorld(t, server);
  await fill(world, 1);
  const uris = [readUri(world.uri.replace(/\/rb_test\w+/, "/"), "test")];
  await world.export({ uris });
  const before = world.files();
  world.proxy.answers.set("listDatabases", () => ({ ok: 1, databases: [{ name: "admin" }] }));
  await assert.rejects(world.export({ uris }), {
    outcome: "failed",
    message: /expected databases on the server, found none/,
  });
  assert.deepEqual(world.files(), before);
  assert.ok((await world.export({ uris, allowEmpty: true })).dropped.length > 0);
  assert.deepEqual(world.names(), []);
});

test("a run that failed is not imported, unless that is asked for; the next good one is", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 3000);
  await insert(world.db, "aaa", [{ _id: 1 }]);
  world.proxy.breakAt(1);
  // The second collection breaks; what was read of the first is settled, and has no mark of its own.
  await assert.rejects(world.export(), { outcome: "failed" });
  const mark = path.join(world.to, ".mongo-export/unfinished");
  assert.ok(existsSync(mark));
  await assert.rejects(world.import(), { outcome: "refused", message: /an export was ended/ });
  const taken = await world.import({ allowUnfinished: true, dryRun: true });
  assert.equal(taken.outcome, "done");
  await world.export();
  assert.ok(!existsSync(mark));
  assert.equal((await world.import()).collections[1]?.documents, 3000);
});

test("what is left in the directory of a dropped collection keeps no import from its work", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await insert(world.db, "gone", [{ _id: 1 }]);
  await world.export();
  await world.db.collection("gone").drop();
  await writeFile(below(world, "gone", ".DS_Store"), "");
  await world.export();
  assert.deepEqual(readdirSync(below(world, "gone")), [".DS_Store"]);
  assert.equal((await world.import()).outcome, "done");
  assert.ok(world.warnings.some((text) => text.includes("gone holds no collection")));
  await rm(below(world, "gone", ".DS_Store"));
  await mkdir(below(world, "gone", "00a"));
  for (const name of [".new.tmp", ".metadata.bson.12-0.tmp"])
    await writeFile(below(world, "gone", name), "");
  await world.export();
  assert.deepEqual(readdirSync(below(world)), ["docs"]);
  const [file = ""] = world.names();
  await mkdir(below(world, "lost/000"), { recursive: true });
  await writeFile(below(world, "lost/000", path.basename(file)), "x");
  await assert.rejects(world.import(), { message: /lost: expected metadata.bson, found none/ });
  assert.equal((await world.import({ exclude: ["*.lost"] })).outcome, "done");
});

test("--repair twice, and a lost state: known documents of a write-once collection are read", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 10);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.docs = write-once\n");
  await world.export({ config });
  const docs = world.db.collection<{ _id: number }>("docs");
  await docs.updateOne({ _id: 3 }, { $set: { v: 1 } });
  assert.equal((await world.export({ config })).collections[0]?.changed, 0);
  assert.equal((await world.export({ config, checks: "contents" })).collections[0]?.changed, 1);
  await docs.updateOne({ _id: 3 }, { $set: { v: 2 } });
  await rm(path.join(world.to, ".mongo-export/state"), { recursive: true });
  assert.equal((await world.export({ config })).collections[0]?.changed, 1);
});

/** A collection that is not there yet, in a dry run. */
async function nothingKept(t: TestContext): Promise<KeptDocuments> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-mongo-"));
  t.after(async () => rm(root, { recursive: true }));
  return KeptDocuments.open(collectionPlace(root, "a", "b"), {
    ...{ checks: "nothing", dryRun: true, staged: false, expected: 0, beforeChange: () => {} },
    source: "untold",
    signal: new AbortController().signal,
  });
}

test("a document that the server sends damaged is told, and not taken", async (t) => {
  const kept = await nothingKept(t);
  const whole = BSON.serialize({ _id: new BSON.ObjectId(), text: "abc" });
  kept.take(whole);
  const damaged = Buffer.from(BSON.serialize({ _id: new BSON.ObjectId(), text: "abc" }));
  damaged.writeInt32LE(400, damaged.indexOf("text") + 5);
  assert.throws(() => kept.take(damaged), { outcome: "partial", message: /found a damaged one/ });
  assert.equal(kept.counts.added, 1);
});

test("a server that has no snapshots is read without one", async (t) => {
  const client = new MongoClient("mongodb://127.0.0.1:1");
  const session = client.startSession({ snapshot: true });
  t.after(async () => client.close());
  const kept = await nothingKept(t);
  const reads: boolean[] = [];
  await withSnapshot(
    session,
    kept,
    async (each) => {
      reads.push(each !== undefined);
      if (each !== undefined)
        throw new MongoCompatibilityError("Snapshot reads require MongoDB 5.0 or later");
    },
    () => {},
  );
  assert.deepEqual(reads, [true, false]);
});

test("a database that is named and not there: failed, and nothing is removed", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 2);
  await world.export();
  const before = world.files();
  await world.db.dropDatabase();
  await assert.rejects(world.export(), {
    outcome: "failed",
    message: /expected collections in the database .*, found none/,
  });
  assert.deepEqual(world.files(), before);
  assert.equal((await world.export({ allowEmpty: true })).dropped.length, 1);
});

test("indexes and documents that the server refuses are told once, as partial", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [
    { _id: 1, a: 1 },
    { _id: 2, a: 1 },
  ]);
  await world.export();
  const index = BSON.serialize({ v: 2, unique: true, key: { a: 1 }, name: "a_1" });
  await changeMetadata(world, "docs", { indexes: [index] });
  const result = await world.import();
  assert.equal(result.outcome, "partial", JSON.stringify(result));
  assert.equal(result.collections[0]?.problems.length, 1);
  await world.client.db(world.copy).dropDatabase();
  world.proxy.answers.set("insert", () => ({
    ...{ ok: 1, n: 0 },
    writeErrors: [0, 1].map((at) => ({ index: at, code: 121, errmsg: "no" })),
  }));
  await changeMetadata(world, "docs", { indexes: [] });
  const refused = await world.import();
  assert.deepEqual([refused.outcome, refused.collections[0]?.problems.length], ["partial", 2]);
  assert.equal(refused.collections[0]?.inserted, 0);
});

test("a document that is broken inside is told by its file", async (t) => {
  const whole = BSON.serialize({ _id: 1, a: [{ b: "text" }], c: new BSON.Code("f", { x: 1 }) });
  assert.ok(isSound(whole));
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1, a: { b: "text" } }, { _id: 2 }]);
  await world.export();
  const file = world.names().find((name) => name.endsWith("i-1.bson")) ?? "";
  const bytes = readFileSync(path.join(world.to, file));
  const at = bytes.indexOf("text");
  bytes[at - 4] = 200;
  await writeFile(path.join(world.to, file), bytes);
  const result = await world.import();
  assert.deepEqual([result.outcome, result.collections[0]?.documents], ["partial", 1]);
  assert.ok(world.warnings.some((text) => /i-1\.bson: expected a document/.test(text)));
});

test("nothing is written or removed behind links", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 1);
  await world.export();
  const outside = path.join(world.root, "outside");
  await mkdir(outside);
  await writeFile(path.join(outside, "precious"), "precious");
  const docs = world.db.collection<{ _id: number }>("docs");
  await symlink(path.join(outside, "precious"), below(world, "docs/.new.tmp"));
  await docs.updateOne({ _id: 0 }, { $set: { v: 1 } });
  await world.export();
  assert.equal(readFileSync(path.join(outside, "precious"), "utf8"), "precious");
  const [file = ""] = world.names();
  const own = path.join(world.to, ".mongo-export");
  const links = [
    path.dirname(path.join(world.to, file)),
    ...[below(world, "docs"), below(world), own, path.join(own, "state")],
  ];
  await docs.updateOne({ _id: 0 }, { $set: { v: 2 } });
  await docs.deleteOne({ _id: 0 });
  for (const link of links) {
    const target = path.join(outside, "moved");
    await rename(link, target);
    await symlink(target, link);
    await assert.rejects(world.export(), { outcome: "refused", message: /found a link/ }, link);
    assert.equal(await readlink(link), target);
    await rm(link);
    await rename(target, link);
  }
  assert.equal(world.names().length, 1);
  assert.equal((await world.export()).collections[0]?.removed, 1);
});

test("a field with several times is always read; another field means that all is read", async (t) => {
  const world = await makeMongoWorld(t, server);
  const [old, now] = [new Date("2024-01-01T00:00:00Z"), new Date()];
  await insert(world.db, "docs", [
    { _id: 1, at: [old], v: 1 },
    { _id: 2, at: now, other: now, v: 1 },
    { _id: 3, at: old, other: old, v: 1 },
  ]);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.docs = timestamp at\n");
  await world.export({ config });
  const docs = world.db.collection<{ _id: number }>("docs");
  await docs.updateOne({ _id: 1 }, { $set: { v: 2 } });
  await docs.updateOne({ _id: 3 }, { $set: { v: 2 } });
  assert.equal((await world.export({ config })).collections[0]?.changed, 1);
  await writeFile(config, "[collections]\n*.docs = timestamp other\n");
  assert.equal((await world.export({ config })).collections[0]?.changed, 1);
});

test("what was learned while the clocks were ahead is not believed", async (t) => {
  const world = await makeMongoWorld(t, server);
  const ahead = Date.now() + 7_200_000;
  await insert(world.db, "docs", [{ _id: 1, at: new Date(ahead), v: 1 }]);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.docs = timestamp at\n");
  world.proxy.hello.set("localTime", new Date(ahead));
  t.mock.timers.enable({ apis: ["Date"], now: ahead });
  await world.export({ config });
  t.mock.timers.reset();
  const docs = world.db.collection<{ _id: number }>("docs");
  // One clock that is ahead does no harm.
  for (const v of [2, 3]) {
    await docs.updateOne({ _id: 1 }, { $set: { at: new Date(), v } });
    assert.equal((await world.export({ config })).collections[0]?.changed, 1);
  }
});

test("a collection that has become a view takes its documents along", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 3);
  await insert(world.db, "src", [{ _id: 1 }]);
  await world.export();
  await world.db.collection("docs").drop();
  await world.db.createCollection("docs", { viewOn: "src", pipeline: [] });
  const result = await world.export();
  assert.equal(result.collections[0]?.removed, 3);
  assert.deepEqual(readdirSync(below(world, "docs")), ["metadata.bson"]);
  const states = path.join(world.to, ".mongo-export/state", world.db.databaseName);
  assert.deepEqual(readdirSync(states), ["src.state"]);
});

test("one collection that can't be made does not keep the others out", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "aaa", [{ _id: 1 }]);
  await insert(world.db, "zzz", [{ _id: 1 }]);
  await world.export();
  const options = documentOf([{ key: "create", ...stringValue("evil") }]);
  await changeMetadata(world, "aaa", { options });
  const result = await world.import();
  assert.deepEqual(
    result.collections.map(({ outcome, inserted }) => [outcome, inserted]),
    [
      ["partial", 0],
      ["done", 1],
    ],
  );
  const listed = await world.client.db(world.copy).listCollections().toArray();
  assert.deepEqual(
    listed.map(({ name }) => name),
    ["zzz"],
  );
});

test("--repair brings a file in the wrong directory to its own", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, 2);
  await world.export();
  const before = world.names();
  const [file = ""] = before;
  await mkdir(below(world, "docs/fff"), { recursive: true });
  await rename(path.join(world.to, file), below(world, "docs/fff", path.basename(file)));
  await world.export({ checks: "names" });
  assert.deepEqual(world.names(), before);
});

test("no directory is made for a server that can't be reached", async (t) => {
  const world = await makeMongoWorld(t, server);
  const uri = "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=100";
  await assert.rejects(world.export({ uris: [readUri(uri, "test")] }), { outcome: "failed" });
  assert.ok(!existsSync(world.to));
});

test("indexes by which documents expire are made when all has been read back", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1, at: new Date("2020-01-01T00:00:00Z") }]);
  await world.export();
  const index = { v: 2, key: { at: 1 }, name: "at_1", expireAfterSeconds: 5 };
  await changeMetadata(world, "docs", { indexes: [BSON.serialize(index)] });
  const before = world.proxy.seen.length;
  const result = await world.import();
  assert.deepEqual([result.outcome, result.collections[0]?.indexes], ["done", 1]);
  const commands = world.proxy.seen.slice(before).map((each) => Object.keys(each)[0]);
  assert.ok(commands.indexOf("createIndexes") > commands.lastIndexOf("find"), commands.join());
});

test("a collection from which the server would remove what is imported is left as it is", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1, at: new Date("2020-01-01T00:00:00Z") }]);
  await world.db.collection("docs").createIndex({ at: 1 });
  await world.export();
  const copy = world.client.db(world.copy).collection("docs");
  for (const [name, more] of [
    ["at_1", { expireAfterSeconds: 3600 }],
    ["other", { expireAfterSeconds: 3600 }],
    ["at_1", { unique: true }],
  ] as const) {
    await world.client.db(world.copy).createCollection("docs");
    await copy.createIndex({ at: 1 }, { name, ...more });
    const [found] = Object.keys(more);
    await assert.rejects(world.import(), {
      outcome: "refused",
      message: new RegExp(`the indexes of the export, found ${name} with ${found}$`),
    });
    assert.equal(await copy.countDocuments(), 0);
    await copy.drop();
  }
  await world.client.db(world.copy).createCollection("docs");
  await copy.createIndex({ other: 1 });
  assert.equal((await world.import()).outcome, "done");
});

test("what the options of a collection say besides those of an export", () => {
  const of = BSON.serialize;
  const keys = new Set(["capped", "size"]);
  assert.equal(extraKey(of({ a: 1 }), of({ a: 1, b: 2, capped: true }), keys), "capped");
  assert.equal(extraKey(of({ size: 1 }), of({ capped: false, size: 2 }), keys), undefined);
});

test("a damaged metadata.bson keeps back its own collection alone; lost+found is none", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await insert(world.db, "more", [{ _id: 1 }]);
  await world.export();
  await mkdir(path.join(world.to, "lost+found", "x"), { recursive: true });
  await writeFile(below(world, "more", "metadata.bson"), "");
  await assert.rejects(world.import(), /what mongo-export writes of a collection/);
  assert.equal((await world.import({ exclude: ["*.more"] })).outcome, "done");
  assert.deepEqual(
    world.warnings.filter((text) => text.includes("lost+found")),
    [],
  );
});

test("a connection string in the place of a file's name is not shown", async () => {
  for (const text of ["mongodb://u:S3cret@127.0.0.1/", "mongodb+srv://u:S3cret@example.org/"])
    await assert.rejects(
      givenUris([], [text], {}, () => {}),
      (error) =>
        !String(error).includes("S3cret") && /found a connection string/.test(String(error)),
    );
});

test("a file with a connection string that others can read is warned of", async (t) => {
  const world = await makeMongoWorld(t, server);
  const warnings: string[] = [];
  const given = async (): Promise<unknown> =>
    givenUris([], [world.uriFile], {}, (text) => void warnings.push(text));
  await given();
  assert.deepEqual(warnings, []);
  await chmod(world.uriFile, 0o644);
  await given();
  assert.match(warnings.join(), /can be read by others/);
});
