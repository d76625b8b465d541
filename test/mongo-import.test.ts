import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import { BSON } from "mongodb";
import { storedCollections } from "../lib/documents/stored.ts";
import { storedFiles } from "../lib/documents/storedfiles.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import {
  everyId,
  everyValue,
  insert,
  makeMongoWorld,
  rawDocuments,
  type MongoWorld,
} from "./helpers/mongoworld.ts";

/* From a database to files to a database: equal, or told. */

const server = await startMongo({ after });

/** Sorted, and without what FerretDB adds by its own rules. */
async function indexesOf(world: MongoWorld, database: string, name: string): Promise<unknown> {
  const found: unknown[] = await world.client.db(database).collection(name).listIndexes().toArray();
  return sortedWithout(found, ["storageEngine"]);
}

function sortedWithout(entries: readonly unknown[], left: readonly string[]): unknown {
  return entries
    .map((entry) =>
      Object.fromEntries(Object.entries(entry ?? {}).filter(([key]) => !left.includes(key))),
    )
    .toSorted((a, b) => (String(a["name"]) < String(b["name"]) ? -1 : 1));
}

/** What the export of the copy holds that the export holds of the database, without the names of both. */
async function exportsOfBoth(world: MongoWorld): Promise<readonly (readonly string[])[]> {
  const { readUri } = await import("../lib/documents/uri.ts");
  await world.export({
    uris: [readUri(world.uri.replace(world.db.databaseName, world.copy), "test")],
  });
  return [world.db.databaseName, world.copy].map((database) =>
    [...world.files()]
      .filter(([file]) => file.startsWith(`${database}/`) && !file.endsWith("metadata.bson"))
      .map(([file, found]) => `${file.slice(database.length)} ${found.slice(0, 64)}`),
  );
}

test("documents come back byte for byte: every id, every value, every name", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "ids",
    everyId().map((_id) => ({ _id, ...everyValue() })),
  );
  const names = ["a/b", "dotted.name", "emoji 😀", "Case", "case", "x".repeat(150), "100%"];
  for (const name of names) await insert(world.db, name, [{ _id: name }]);
  await world.export();
  const result = await world.import();
  assert.equal(result.outcome, "done", JSON.stringify(result));
  for (const name of ["ids", ...names])
    assert.deepEqual(
      await rawDocuments(world.client.db(world.copy), name),
      await rawDocuments(world.db, name),
    );
  const [one, two] = await exportsOfBoth(world);
  assert.deepEqual(one, two);
});

test("indexes of every kind come back", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = world.db.collection("docs");
  await insert(world.db, "docs", [{ a: 1, txt: "words" }]);
  await docs.createIndex({ a: 1 }, { unique: true, sparse: true, name: "Ünique" });
  await docs.createIndex({ t: 1 }, { expireAfterSeconds: 3600 });
  await docs.createIndex({ p: -1, "q.r": 1 }, { partialFilterExpression: { p: { $gt: 5 } } });
  await docs.createIndex({ txt: "text" }, { weights: { txt: 5 } });
  await docs.createIndex({ h: "hashed" });
  await docs.createIndex({ "w.$**": 1 });
  await docs.createIndex({ geo: "2dsphere" });
  await world.export();
  const result = await world.import();
  assert.equal(result.outcome, "done", JSON.stringify(result));
  assert.equal(result.collections[0]?.indexes, 7);
  assert.deepEqual(
    await indexesOf(world, world.copy, "docs"),
    await indexesOf(world, world.db.databaseName, "docs"),
  );
});

test("options come back: capped with its order, validator, collation, view", async (t) => {
  const world = await makeMongoWorld(t, server);
  const options: readonly (readonly [string, object])[] = [
    ["capped", { capped: true, size: 4096, max: 100 }],
    ["checked", { validator: { $jsonSchema: { required: ["x"] } }, validationLevel: "moderate" }],
    ["german", { collation: { locale: "de", strength: 2 } }],
  ];
  for (const [name, each] of options) {
    await world.db.createCollection(name, each);
    const ids = Array.from({ length: 30 }, (_, at) => 30 - at);
    await insert(
      world.db,
      name,
      ids.map((_id) => ({ _id, x: 1 })),
    );
  }
  await world.db.createCollection("view", { viewOn: "checked", pipeline: [{ $match: { x: 1 } }] });
  const exported = await world.export();
  assert.deepEqual(exported.collections.find((each) => each.kind === "view")?.collection, "view");
  const capped = path.join(world.to, world.db.databaseName, "capped");
  const order = readFileSync(path.join(capped, "order.txt"), "utf8").trimEnd().split("\n");
  const served = await world.db.collection<{ _id: number }>("capped").find().toArray();
  assert.deepEqual(
    order.map((file) => path.basename(file)),
    served.map(({ _id }) => `i-${_id}.bson`),
  );
  const stored = storedCollections(world.to, {
    allowUnfinished: false,
    isExcluded: () => false,
    onLeftover: () => {},
  }).find(({ metadata }) => metadata.capped);
  assert.ok(stored !== undefined);
  await writeFile(path.join(capped, "order.txt"), `${order.toReversed().join("\n")}\n`);
  assert.deepEqual(
    [...storedFiles({ directory: stored.directory, capped: true })],
    order.toReversed(),
  );
  await writeFile(path.join(capped, "order.txt"), `${order.join("\n")}\n`);

  const result = await world.import();
  assert.equal(result.outcome, "done", JSON.stringify(result));
  const listed = async (database: string): Promise<unknown> => {
    const entries: unknown[] = await world.client.db(database).listCollections().toArray();
    return sortedWithout(entries, ["info", "idIndex"]);
  };
  assert.deepEqual(await listed(world.copy), await listed(world.db.databaseName));
  const creates = world.proxy.seen.filter((each) => each["create"] === "view");
  assert.equal(creates.length, 2);
});

test("GridFS: files and chunks are collections like others", async (t) => {
  const world = await makeMongoWorld(t, server);
  const { GridFSBucket } = await import("mongodb");
  const content = Buffer.alloc(600_000, "content ");
  const upload = new GridFSBucket(world.db).openUploadStream("a file");
  await new Promise((resolve, reject) => {
    upload.once("error", reject).once("finish", resolve).end(content);
  });
  await world.export();
  assert.equal((await world.import()).outcome, "done");
  const parts: Buffer[] = [];
  const copy = new GridFSBucket(world.client.db(world.copy));
  for await (const part of copy.openDownloadStreamByName("a file")) {
    assert.ok(part instanceof Buffer);
    parts.push(part);
  }
  assert.ok(Buffer.concat(parts).equals(content));
});

test("an import into the same database again does nothing, into another one is refused", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
  await insert(world.db, "more", [{ _id: 1 }]);
  await world.export();
  const dry = await world.import({ dryRun: true });
  assert.deepEqual([dry.outcome, dry.collections[0]?.inserted], ["done", 3]);
  assert.equal((await world.client.db(world.copy).listCollections().toArray()).length, 0);
  await world.import();
  const copy = world.client.db(world.copy).collection<{ _id: number; other?: boolean }>("docs");
  await copy.deleteOne({ _id: 2 });
  const again = await world.import();
  assert.deepEqual(
    [again.outcome, again.collections[0]?.inserted, again.collections[0]?.existing],
    ["done", 1, 2],
  );
  await copy.updateOne({ _id: 2 }, { $set: { other: true } });
  await world.client.db(world.copy).collection("more").drop();
  await assert.rejects(world.import(), { outcome: "refused", message: /i-2\.bson$/ });
  await copy.deleteOne({ _id: 2 });
  await copy.insertOne({ _id: 99 });
  await assert.rejects(world.import(), { outcome: "refused", message: /i-99\.bson$/ });
  const left = await world.client.db(world.copy).listCollections().toArray();
  assert.deepEqual(
    left.map(({ name }) => name),
    ["docs"],
    "nothing was written",
  );
});

test("damaged and foreign files are told, and the rest is imported", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    Array.from({ length: 10 }, (_, at) => ({ _id: at })),
  );
  await world.export();
  const [cut = "", swapped = ""] = world.names();
  await writeFile(path.join(world.to, cut), "cut");
  await writeFile(path.join(world.to, swapped), BSON.serialize({ _id: 5000 }));
  const result = await world.import();
  assert.equal(result.outcome, "partial");
  assert.equal(result.collections[0]?.documents, 8);
  assert.equal(world.warnings.filter((text) => text.includes("a damaged file")).length, 2);
  await rm(path.join(world.to, world.db.databaseName, "docs", "metadata.bson"));
  await assert.rejects(world.import(), { message: /expected metadata.bson, found none/ });
});

test("an export that was ended in the middle is not imported", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await world.export();
  const state = path.join(world.to, ".mongo-export/state", world.db.databaseName);
  assert.deepEqual(readdirSync(state), ["docs.state"]);
  await writeFile(path.join(state, "docs.unfinished"), "");
  await assert.rejects(world.import(), { outcome: "refused", message: /an export was ended/ });
  await world.export();
  assert.equal((await world.import()).outcome, "done");
});

test("without the exporter's own files, as a backup brings it back, an export is whole", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    everyId().map((_id) => ({ _id })),
  );
  await world.export();
  await rm(path.join(world.to, ".mongo-export"), { recursive: true });
  assert.equal((await world.import()).outcome, "done");
});

test("only one database, under another name; what is not there is told", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await insert(world.db, "cache", [{ _id: 1 }]);
  await world.export();
  await assert.rejects(world.import({ databases: ["nowhere"] }), { outcome: "usage" });
  const result = await world.import({ exclude: ["*.cache"] });
  assert.deepEqual(
    result.collections.map(({ collection }) => collection),
    ["docs"],
  );
  await assert.rejects(world.import({ from: world.root }), { outcome: "failed" });
});
