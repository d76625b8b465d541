import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { BSON } from "mongodb";
import { exactly } from "../lib/documents/decode.ts";
import {
  holdsAll,
  metadataBytes,
  readIndex,
  readListed,
  readMetadata,
} from "../lib/documents/metadata.ts";
import { modeOf, parseRules } from "../lib/documents/rules.ts";
import { readGreeting } from "../lib/documents/server.ts";
import { readState, writeState } from "../lib/documents/statefile.ts";
import { DocumentTable } from "../lib/documents/table.ts";
import { readUri, readUriLines, withoutSecrets } from "../lib/documents/uri.ts";
import { planDatabase } from "../lib/jobs/mongo/plan.ts";

/* What an export remembers and decides, without a server. */

const words = fc.tuple(fc.nat(3), fc.nat(3), fc.constantFrom(0, 2 ** 32 - 1), fc.nat(3));
const step = fc.record({
  kind: fc.constantFrom("set", "set", "set", "remove", "see", "forget"),
  key: words,
  content: words,
});

test("the table holds what a Map would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(), (steps, secret) => {
      const table = new DocumentTable(0, secret);
      const map = new Map<string, { content: string; seen: boolean }>();
      for (const { kind, key, content } of steps) {
        const [k, c] = [Uint32Array.from(key), Uint32Array.from(content)];
        const name = k.join();
        if (kind === "set") {
          table.set(k, c, true);
          map.set(name, { content: c.join(), seen: true });
        } else if (kind === "remove") {
          table.remove(k);
          map.delete(name);
        } else if (kind === "see") {
          const place = table.find(k);
          assert.equal(place >= 0, map.has(name));
          if (place >= 0) {
            table.markSeen(place);
            assert.equal(table.hasContent(place, c), map.get(name)?.content === c.join());
          }
          const found = map.get(name);
          if (found !== undefined) found.seen = true;
        } else {
          table.forgetSeen();
          for (const each of map.values()) each.seen = false;
        }
      }
      assert.equal(table.count, map.size);
      const unseen = [...table.unseen()].map((key) => key.join()).toSorted();
      const expected = [...map].filter(([, { seen }]) => !seen).map(([name]) => name);
      assert.deepEqual(unseen, expected.toSorted());
      const again = DocumentTable.of(table.records(), 0, secret + 1);
      for (const [name, { content }] of map) {
        const place = again.find(Uint32Array.from(name.split(",").map(Number)));
        assert.ok(
          place >= 0 && again.hasContent(place, Uint32Array.from(content.split(",").map(Number))),
        );
      }
    }),
  );
});

test("the table grows", () => {
  const table = new DocumentTable(0, 1);
  for (let at = 0; at < 20_000; at += 1)
    table.set(Uint32Array.of(1, at, 0, 0), Uint32Array.of(at, 0, 0, 0), at % 2 === 0);
  assert.equal(table.count, 20_000);
  assert.equal([...table.unseen()].length, 10_000);
  for (let at = 0; at < 20_000; at += 3) table.remove(Uint32Array.of(1, at, 0, 0));
  for (let at = 0; at < 20_000; at += 1) {
    const place = table.find(Uint32Array.of(1, at, 0, 0));
    assert.equal(place >= 0, at % 3 !== 0);
    if (place >= 0) assert.ok(table.hasContent(place, Uint32Array.of(at, 0, 0, 0)));
  }
});

test("a state comes back as it was written; a damaged one is none", async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-mongo-"));
  t.after(async () => rm(root, { recursive: true }));
  const file = path.join(root, "a", "x.state");
  assert.equal(await readState(file, 0), undefined);
  const table = new DocumentTable(0, 5);
  table.set(Uint32Array.of(1, 2, 3, 4), Uint32Array.of(5, 6, 7, 8), true);
  await writeState(file, { table, known: { field: "ä", time: -1.5 }, source: "1f", stamp: "2" });
  const back = await readState(file, 10);
  assert.deepEqual([back?.known, back?.table.count], [{ field: "ä", time: -1.5 }, 1]);
  assert.deepEqual([back?.source, back?.stamp], ["1f", "2"]);
  await writeState(file, { table, known: undefined, source: undefined, stamp: "" });
  const without = await readState(file, 0);
  assert.deepEqual([without?.known, without?.source], [undefined, undefined]);
  const bytes = await readFile(file);
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await writeFile(file, damaged);
    assert.equal(await readState(file, 0), undefined, `byte ${at}`);
  }
  await writeFile(file, bytes.subarray(0, -1));
  assert.equal(await readState(file, 0), undefined);
});

function index(name: string): Uint8Array {
  return BSON.serialize({ v: 2, key: { [name]: 1 }, name });
}

test("metadata: the same bytes for the same collection, and back", () => {
  const metadata = {
    database: "shop",
    collection: "a/b😀",
    kind: "collection",
    capped: false,
    options: BSON.serialize({ validator: { "2": 1, "1": 2 } }),
    indexes: [index("b"), index("a")],
  } as const;
  const bytes = metadataBytes(metadata);
  assert.ok(bytes.equals(metadataBytes({ ...metadata, indexes: metadata.indexes.toReversed() })));
  const back = readMetadata(bytes, "f");
  assert.deepEqual([back.database, back.collection, back.kind], ["shop", "a/b😀", "collection"]);
  assert.ok(metadataBytes(back).equals(bytes));
  for (const wrong of [BSON.serialize({}), Buffer.from("x"), BSON.serialize({ version: 2 })])
    assert.throws(() => readMetadata(wrong, "f"), /^Failure: f: expected what mongo-export writes/);
});

test("what servers list of collections and indexes", () => {
  const listed = readListed(
    BSON.serialize({ name: "x", type: "view", options: { viewOn: "y" }, info: { readOnly: true } }),
  );
  assert.deepEqual([listed.name, listed.type], ["x", "view"]);
  assert.deepEqual(BSON.deserialize(listed.options), { viewOn: "y" });
  assert.equal(readIndex(BSON.serialize({ v: 2, key: { _id: 1 }, name: "_id_" })), undefined);
  assert.equal(
    readIndex(BSON.serialize({ key: { _id: 1 }, name: "c", clustered: true })),
    undefined,
  );
  const found = readIndex(
    BSON.serialize({ v: 2, key: { a: 1 }, name: "a_1", ns: "x.y", storageEngine: {} }),
  );
  assert.deepEqual(found && BSON.deserialize(found), { v: 2, key: { a: 1 }, name: "a_1" });
  const wanted = BSON.serialize({ v: 1, a: { b: 1 } });
  assert.ok(holdsAll(wanted, BSON.serialize({ more: 1, a: { b: 1 }, v: 2 })));
  assert.ok(!holdsAll(wanted, BSON.serialize({ a: { b: 2 } })));
  assert.ok(!holdsAll(wanted, BSON.serialize({})));
});

test("which collections are exported", () => {
  const options = BSON.serialize({});
  const entry = (name: string, type = "collection") => ({ name, type, options });
  const plan = planDatabase(
    "shop",
    [
      ...[entry("z"), entry("a"), entry("v", "view"), entry("cache.x"), entry("ts", "timeseries")],
      ...[entry("system.profile"), entry("system.js"), entry("system.views"), entry("n", "new")],
    ],
    ["shop.cache*"],
  );
  assert.deepEqual(
    plan.exported.map(({ name }) => name),
    ["a", "system.js", "v", "z"],
  );
  assert.deepEqual(
    plan.refused.map(({ name }) => name),
    ["n", "ts"],
  );
  assert.deepEqual(plan.excluded, ["cache.x"]);
});

test("rules of how collections are read", () => {
  const rules = parseRules(
    "; comment\n[collections]\nshop.log* = write-once\n*.orders = timestamp at overlap 2h\nshop.a = b = full\n",
    "f",
  );
  assert.deepEqual(modeOf(rules, "shop", "logs"), { kind: "write-once" });
  assert.deepEqual(modeOf(rules, "x", "orders"), {
    kind: "timestamp",
    field: "at",
    overlapSeconds: 7200,
  });
  assert.deepEqual(modeOf(rules, "shop", "a = b"), { kind: "full" });
  assert.deepEqual(modeOf(rules, "shop", "else"), { kind: "full" });
  for (const [text, message] of [
    ["shop.x = full", /f:1: expected \[collections\]/],
    ["[collection]", /f:1: expected \[collections\], found/],
    ["[collections]\nx = full", /f:2: expected DATABASE\.COLLECTION/],
    ["[collections]\na.b = timestamp a.b", /f:2: expected full, write-once/],
    ["[collections]\na.b = timestamp a overlap soon", /f:2: expected a duration/],
  ] as const)
    assert.throws(() => parseRules(text, "f"), message);
});

test("connection strings: hosts for messages, and never the password", () => {
  const uri = readUri(
    "mongodb://me:p%40ss/word@a:1,b:2/shop?replicaSet=r".replace("ss/", "ss%2F"),
    "x",
  );
  assert.deepEqual([uri.label, uri.database], ["a:1,b:2", "shop"]);
  assert.deepEqual(uri.secrets, ["p%40ss%2Fword", "p@ss/word"]);
  assert.equal(withoutSecrets(`no p@ss/word, ${uri.text}`, uri), "no ********, a:1,b:2");
  assert.equal(readUri("mongodb+srv://h.example", "x").database, undefined);
  assert.equal(readUri("mongodb://h/?a=b", "x").database, undefined);
  for (const wrong of [
    "http://me:secret@h/",
    "mongodb://me:secret/@h",
    "me:secret@h",
    "mongodb://",
    "mongodb://me:secret?x@h/db",
    "mongodb://me:secret#x@h/db",
    "mongodb://me:x@secret@h/db",
    "mongodb://me:x@y?secret@h/db",
    "mongodb://me:x/y?secret@h/db",
    "mongodb://me:x:secret@h/db",
    "mongodb://me:secret",
  ])
    assert.throws(
      () => readUri(wrong, "x"),
      (error) => error instanceof Error && !error.message.includes("secret"),
    );
  const options =
    "tlsCertificateKeyFilePassword=a%20,b&authMechanismProperties=X:1,AWS_SESSION_TOKEN:tok";
  assert.deepEqual(readUri(`mongodb://h/?${options}`, "x").secrets, ["a%20,b", "a ,b", "tok"]);
  assert.equal(readUri("mongodb://[::1]:27017,b/?w=1", "x").label, "[::1]:27017,b");
  assert.equal(readUriLines("# c\n\nmongodb://a\nmongodb://b\n", "f").length, 2);
  assert.throws(() => readUriLines("# c\n", "f"), /f: expected mongodb/);
});

test("what a server says of itself", () => {
  assert.throws(() => readGreeting({ msg: "isdbgrid" }, "h"), { outcome: "refused" });
  const found = readGreeting({ maxWriteBatchSize: 10, localTime: new Date(5) }, "h");
  assert.deepEqual(found, { maxBatch: 10, maxMessage: 48_000_000, now: 5 });
});

test("the driver is given only what comes out of it as it was", () => {
  const { Double, Int32, Long, BSONRegExp, Code } = BSON;
  const good = {
    a: new Double(1),
    b: new Int32(1),
    c: Long.fromNumber(1),
    d: new BSONRegExp("x", "i"),
  };
  for (const each of [good, { code: new Code("f", {}) }, { d: new Date(0), n: null }])
    assert.ok(exactly(BSON.serialize(each)) !== undefined);
  assert.equal(
    exactly(
      BSON.serialize(
        new Map([
          ["2", 1],
          ["1", 2],
        ]),
      ),
    ),
    undefined,
  );
});
