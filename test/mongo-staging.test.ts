import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import type { Result } from "./helpers/command.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { everyId, insert, makeMongoWorld, type MongoWorld } from "./helpers/mongoworld.ts";

/* A collection that the export does not hold yet appears whole, or not at all. */

const server = await startMongo({ after });

/** So many that a thread writes them. */
const many = 12_000;

async function fill(world: MongoWorld, name: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 4000)
    await insert(
      world.db,
      name,
      Array.from({ length: Math.min(4000, count - from) }, (_, at) => ({
        _id: from + at,
        text: `document ${from + at}`,
      })),
    );
}

function own(world: MongoWorld, ...names: readonly string[]): string {
  return path.join(world.to, ".mongo-export", ...names);
}

/** Files of documents that are staged. */
function staged(world: MongoWorld, collection: string): readonly string[] {
  const directory = own(world, "new", world.db.databaseName, collection);
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => /^[0-9a-f]{3}\/.*\.bson$/.test(name))
    .map((name) => path.join(directory, name));
}

/** The export as it is installed, by which threads write. */
async function command(world: MongoWorld): Promise<Result> {
  return world.command("mongo-export", ["--uri-file", world.uriFile, "--to", world.to, "--json"]);
}

/** A first export that breaks in the middle. */
async function broken(world: MongoWorld, count: number): Promise<void> {
  await fill(world, "docs", count);
  world.proxy.breakAt(count / 2000);
  assert.equal((await command(world)).code, 1);
  assert.ok(!existsSync(path.join(world.to, world.db.databaseName, "docs")));
  assert.ok(existsSync(own(world, "state", world.db.databaseName, "docs.unfinished")));
}

test("a first export that broke shows nothing; what it wrote is looked at, and the next one goes on", async (t) => {
  const world = await makeMongoWorld(t, server);
  await broken(world, many);
  await assert.rejects(world.import(), { outcome: "refused" });
  const [empty = "", other = "", gone = "", cut = ""] = staged(world, "docs").toSorted();
  assert.ok(cut !== "" && staged(world, "docs").length < many);
  // As a power failure may leave them.
  await truncate(empty, 0);
  const bytes = readFileSync(other);
  await writeFile(other, bytes.fill(0, bytes.length - 4));
  await truncate(cut, 20);
  const id = Number(/i-(\d+)\.bson$/.exec(gone)?.[1]);
  await world.db.collection<{ _id: number }>("docs").deleteOne({ _id: id });
  const { code, stdout, stderr } = await command(world);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    new RegExp(`"documents":${many - 1},.*"added":${many - 1},"changed":0,"removed":0`),
  );
  assert.ok(!existsSync(own(world, "new")));
  assert.equal(world.names().length, many - 1);
  // Compares what is in the files.
  const again = await world.export({ checks: "contents" });
  const { added: missing, changed: damaged, removed: extra } = again.collections[0] ?? {};
  assert.deepEqual([missing, damaged, extra], [0, 0, 0]);
  const imported = await world.import();
  assert.deepEqual([imported.outcome, imported.collections[0]?.inserted], ["done", many - 1]);
});

test("what was staged goes with its collection, and by --exclude", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, "stays", 3);
  await broken(world, 4000);
  await world.db.collection("docs").drop();
  await world.export();
  const state = own(world, "state", world.db.databaseName);
  assert.ok(!existsSync(own(world, "new")));
  assert.deepEqual(readdirSync(state), ["stays.state"]);
});

test("a collection that can't be read keeps what is staged of it, and its mark", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, "stays", 3);
  await broken(world, 4000);
  const before = staged(world, "docs").length;
  world.proxy.failing.set("find", "not authorized");
  assert.equal((await world.export()).outcome, "partial");
  world.proxy.failing.clear();
  assert.equal(staged(world, "docs").length, before);
  assert.ok(existsSync(own(world, "state", world.db.databaseName, "docs.unfinished")));
  // What is whole can be imported; nothing of the others is there.
  assert.equal(world.names().length, 0);
  const { collections } = await world.export();
  assert.deepEqual(
    collections.map(({ documents, added }) => [documents, added]),
    [
      [4000, 4000],
      [3, 3],
    ],
  );
  assert.equal((await world.import()).outcome, "done");
});

test("a directory that somebody removed is written again", async (t) => {
  const world = await makeMongoWorld(t, server);
  await insert(
    world.db,
    "docs",
    everyId().map((_id) => ({ _id })),
  );
  await world.export();
  const first = [...world.files().keys()];
  await rm(path.join(world.to, world.db.databaseName), { recursive: true });
  assert.equal((await world.export()).collections[0]?.added, everyId().length);
  assert.deepEqual([...world.files().keys()].length, first.length);
});

test("nothing is staged behind links", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, "docs", 10);
  const result = await world.export();
  assert.equal(result.outcome, "done");
  await rm(path.join(world.to, world.db.databaseName), { recursive: true });
  await symlink(world.root, own(world, "new"));
  await assert.rejects(world.export(), { outcome: "refused", message: /found a link/ });
  await unlink(own(world, "new"));
  assert.equal((await world.export()).outcome, "done");
});

test("a file that lies among what is staged is removed, and stops nothing", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, "docs", 10);
  await world.export();
  await mkdir(own(world, "new"));
  await writeFile(own(world, "new", ".DS_Store"), "?");
  assert.equal((await world.export()).outcome, "done");
  assert.equal(existsSync(own(world, "new")), false);
});

test("what a link among the states leads to is not touched", async (t) => {
  const world = await makeMongoWorld(t, server);
  await fill(world, "docs", 10);
  await world.export();
  const database = "gone";
  await mkdir(own(world, "new", database, "docs"), { recursive: true });
  const elsewhere = path.join(world.root, "elsewhere");
  await mkdir(elsewhere);
  await writeFile(path.join(elsewhere, "docs.state"), "theirs");
  await symlink(elsewhere, own(world, "state", database));
  await assert.rejects(world.export(), { outcome: "refused", message: /found a link/ });
  assert.equal(readFileSync(path.join(elsewhere, "docs.state"), "utf8"), "theirs");
});
