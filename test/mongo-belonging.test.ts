import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test, type TestContext } from "node:test";
import { BSON } from "mongodb";
import { readUri } from "../lib/documents/uri.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { startProxy } from "./helpers/mongoproxy.ts";
import { insert, makeMongoWorld, type MongoWorld } from "./helpers/mongoworld.ts";

/* What is remembered must be of this collection, of these files, and of this server. */

const server = await startMongo({ after });

const [january, november] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-11-20T00:00:00Z")];

/** What the files of documents hold, by their names without the directories. */
function held({ names, to }: MongoWorld): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    names().map((name) => [
      path.basename(name),
      BSON.deserialize(readFileSync(path.join(to, name)))["v"] as unknown,
    ]),
  );
}

/** A world with rules for its collections: `once` is written once, `timed` has a time. */
async function ruled(t: TestContext): Promise<{ world: MongoWorld; config: string }> {
  const world = await makeMongoWorld(t, server);
  const config = path.join(world.root, "mongo.ini");
  await writeFile(config, "[collections]\n*.once = write-once\n*.timed = timestamp t\n");
  return { world, config };
}

async function fillAnew({ db }: MongoWorld, v: string): Promise<void> {
  for (const collection of ["once", "timed"]) {
    await db.collection(collection).drop();
    await insert(db, collection, [
      { _id: `a-${collection}`, v, t: january },
      { _id: `b-${collection}`, v, t: november },
    ]);
  }
}

const everyNew = {
  "s-a-once.bson": "new",
  "s-a-timed.bson": "new",
  "s-b-once.bson": "new",
  "s-b-timed.bson": "new",
};

test("a collection that was made anew is read, whatever its mode; the next time it is known", async (t) => {
  const { world, config } = await ruled(t);
  await fillAnew(world, "old");
  await world.export({ config });
  await fillAnew(world, "new");
  const dry = await world.export({ config, dryRun: true });
  assert.deepEqual(
    dry.collections.map(({ changed }) => changed),
    [2, 2],
  );
  await world.export({ config });
  assert.deepEqual(held(world), everyNew);
  const again = await world.export({ config });
  assert.equal(again.collections[0]?.bytes, 0, "no document that is written once was read again");
});

test("a collection that was made anew is read to its end by the run after one that broke off", async (t) => {
  const { world, config } = await ruled(t);
  const fill = async (v: string): Promise<void> => {
    await world.db.collection("once").drop();
    const ids = Array.from({ length: 1200 }, (_, at) => at);
    await insert(
      world.db,
      "once",
      ids.map((_id) => ({ _id, v })),
    );
  };
  await fill("old");
  await world.export({ config });
  await fill("new");
  world.proxy.breakAt(1);
  await assert.rejects(world.export({ config }), { outcome: "failed" });
  await world.export({ config });
  assert.deepEqual(new Set(Object.values(held(world))), new Set(["new"]));
});

/** What brings the copy of an export's database to its place again. */
const restores: Readonly<Record<string, (copy: string, directory: string) => Promise<void>>> = {
  "by a rename of the whole": async (copy, directory) => {
    await rm(directory, { recursive: true });
    await rename(copy, directory);
  },
  "into the directories that are there, as rclone-restore does": async (copy, directory) => {
    for (const file of readdirSync(copy, { recursive: true, encoding: "utf8" })) {
      if (!file.includes("/s-")) continue;
      const temporary = path.join(directory, path.dirname(file), ".partial");
      await copyFile(path.join(copy, file), temporary);
      await rename(temporary, path.join(directory, file));
    }
  },
};

for (const [how, restore] of Object.entries(restores))
  test(`an older export that was restored ${how} is brought to what the server holds`, async (t) => {
    const { world, config } = await ruled(t);
    await fillAnew(world, "old");
    await world.export({ config });
    const directory = path.join(world.to, world.db.databaseName);
    const copy = path.join(world.root, "copy");
    execFileSync("cp", ["-a", directory, copy]);
    await fillAnew(world, "new");
    await world.export({ config });
    assert.deepEqual(held(world), everyNew);
    await restore(copy, directory);
    assert.notDeepEqual(held(world), everyNew);
    const result = await world.export({ config });
    assert.deepEqual(held(world), everyNew);
    assert.deepEqual(
      result.collections.map(({ changed }) => changed),
      [2, 2],
    );
    const again = await world.export({ config });
    assert.equal(again.collections[0]?.bytes, 0);
  });

/** The server lists collections of its own alone. */
function listServersOwn({ proxy }: MongoWorld): void {
  const own = ["system.users", "system.version"].map((name) => ({
    ...{ name, type: "collection", options: {} },
  }));
  proxy.answers.set("listCollections", ({ $db }) => ({
    ok: 1,
    cursor: { id: BSON.Long.ZERO, ns: `${String($db)}.x`, firstBatch: own },
  }));
}

test("a database of the server's own in a connection string is wrong usage, with a hint", async (t) => {
  const world = await makeMongoWorld(t, server);
  listServersOwn(world);
  for (const name of ["admin", "config", "local"]) {
    const uris = [readUri(`mongodb://me:secret@${world.proxy.host}/${name}`, "test")];
    await assert.rejects(world.export({ uris, allowEmpty: true }), {
      outcome: "usage",
      message: new RegExp(`found ${name}, which is the server's own`),
      hint: /\/\?authSource=admin$/,
    });
  }
  assert.ok(!existsSync(world.to));
});

test("a database that is named and holds collections of the server's own alone is empty", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(world.db, "docs", [{ _id: 1 }]);
  await world.export();
  const before = world.files();
  listServersOwn(world);
  await assert.rejects(world.export(), { outcome: "failed", message: /expected collections/ });
  assert.deepEqual(world.files(), before);
  assert.equal((await world.export({ allowEmpty: true })).dropped.length, 1);
});

/** The world's connection string by another name of the server. */
async function otherHost(t: TestContext, world: MongoWorld): Promise<string> {
  const { host, answers } = await startProxy(t, server.uri);
  for (const [name, answer] of world.proxy.answers) answers.set(name, answer);
  return world.uri.replace(world.proxy.host, host);
}

async function fillWith({ db }: MongoWorld, v: number, ids: readonly number[]): Promise<void> {
  await db.collection("docs").drop();
  await insert(
    db,
    "docs",
    ids.map((_id) => ({ _id, v })),
  );
}

test("a database of another server doesn't take the place of one of its name, unless that is asked for", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fillWith(world, 1, [1, 2]);
  await world.export();
  const uri = await otherHost(t, world);
  await world.db.collection<{ _id: number }>("docs").insertOne({ _id: 3 });
  const same = await world.export({ uris: [readUri(uri, "test")] });
  assert.equal(same.collections[0]?.added, 1, "only the name of the server is another one");
  // A copy of it, such as for tests, has the same ids.
  await fillWith(world, 2, [1, 2]);
  const before = world.files();
  for (const dryRun of [true, false])
    await assert.rejects(world.export({ dryRun }), {
      outcome: "refused",
      message: /expected the database rb_test_\w+ of 127\.0\.0\.1:\d+, which .* found one of 127/,
    });
  const args = ["--to", world.to, "--uri-file", world.uriFile];
  const refused = await world.command("mongo-export", args);
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /hint: .*--replace/);
  assert.deepEqual(world.files(), before);
  assert.equal((await world.command("mongo-export", [...args, "--replace"])).code, 0);
  assert.deepEqual(held(world), { "i-1.bson": 2, "i-2.bson": 2 });
  await world.export();
});

test("without UUIDs, a database of another server is known by the ids of its documents", async (t) => {
  const world = await makeMongoWorld(t, server);
  const docs = { name: "docs", type: "collection", options: {}, info: { readOnly: false } };
  world.proxy.answers.set("listCollections", ({ $db }) => ({
    ok: 1,
    cursor: { id: BSON.Long.ZERO, ns: `${String($db)}.x`, firstBatch: [docs] },
  }));
  const uris = [readUri(await otherHost(t, world), "test")];
  const many = Array.from({ length: 300 }, (_, at) => at);
  await fillWith(world, 1, many);
  await world.export();
  await fillWith(world, 2, many.slice(0, 250));
  assert.equal((await world.export({ uris })).collections[0]?.changed, 250);
  await fillWith(world, 3, [1000, 1001]);
  const before = world.files();
  await assert.rejects(world.export(), { outcome: "refused" });
  assert.deepEqual(world.files(), before);
  assert.equal((await world.export({ replace: true })).collections[0]?.added, 2);
});
