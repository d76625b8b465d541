import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { BSON } from "mongodb";
import {
  elementsOf,
  hasElements,
  idOf,
  isWhole,
  types,
  valueOf,
  type Value,
} from "../lib/documents/bson.ts";
import { directoryOf, directoryOfKey, shortId, writeKey } from "../lib/documents/key.ts";
import { idOfName } from "../lib/documents/nameid.ts";
import { directoryName, documentName, isDocumentName } from "../lib/documents/names.ts";
import { documentPath, isDocumentPath, isShardName, shardName } from "../lib/documents/place.ts";
import { takeBuffered } from "../lib/documents/rawpage.ts";
import { matchesName } from "../lib/documents/rules.ts";
import { id, someDocument, someId } from "./helpers/mongodocuments.ts";

/* Names of files from ids of every type, and reading raw documents. */

function nameOf(value: unknown): string {
  return documentName(id(value));
}

test("the names of files for each type of id", () => {
  const { ObjectId, Long, Double, Int32, Binary, UUID, Decimal128, Timestamp, MinKey } = BSON;
  const expected: readonly (readonly [unknown, string])[] = [
    [new ObjectId("0123456789abcdef01234567"), "o-0123456789abcdef01234567.bson"],
    ["plain", "s-plain.bson"],
    ["a/b c.d", "s-a%2fb%20c.d.bson"],
    ["..", "s-...bson"],
    ["", "s-.bson"],
    ["ä😀", "s-%c3%a4%f0%9f%98%80.bson"],
    ["100%~", "s-100%25%7e.bson"],
    [new Int32(-5), "i--5.bson"],
    [Long.fromString("9223372036854775807"), "l-9223372036854775807.bson"],
    [new Double(1.5), "d-1.5.bson"],
    [new Double(-0), "d-%8000000000000000.bson"],
    [new Date(0), "t-0.bson"],
    [
      new UUID("00112233-4455-6677-8899-aabbccddeeff"),
      "u-00112233-4455-6677-8899-aabbccddeeff.bson",
    ],
    [new Binary(Buffer.from("hi"), 0), "v05-02000000006869.bson"],
    [true, "v08-01.bson"],
    [null, "v0a-.bson"],
    [{ a: new Int32(1) }, "v03-0c0000001061000100000000.bson"],
    [new Timestamp({ t: 1, i: 2 }), "v11-0200000001000000.bson"],
    [new MinKey(), "vff-.bson"],
    [Decimal128.fromString("1"), "v13-01000000000000000000000000004030.bson"],
  ];
  for (const [value, name] of expected) {
    assert.equal(nameOf(value), name);
    assert.ok(isDocumentName(name), name);
    const back = idOfName(name);
    assert.ok(back !== undefined && documentName(back) === name, name);
  }
});

test("capital letters, and what is cut, get a part of their hash", () => {
  assert.match(nameOf("Users"), /^s-Users~[0-9a-f]{8}\.bson$/);
  assert.notEqual(nameOf("Users").toLowerCase(), nameOf("users").toLowerCase());
  const long = nameOf("x".repeat(1000));
  assert.match(long, /^s-x{60,}~[0-9a-f]{40}\.bson$/);
  assert.equal(long.length, 120);
  assert.notEqual(long, nameOf("x".repeat(1001)));
  assert.equal(idOfName(long), undefined);
  assert.equal(nameOf("😀".repeat(100)).length <= 120, true);
  assert.match(nameOf("😀".repeat(100)), /^s-(?:%[0-9a-f]{2})+~[0-9a-f]{40}\.bson$/);
});

test("names of databases and collections are safe as directories", () => {
  assert.equal(directoryName("shop"), "shop");
  assert.equal(directoryName("fs.files"), "fs.files");
  assert.equal(directoryName(".."), "%2e%2e");
  assert.equal(directoryName("."), "%2e");
  assert.equal(directoryName(".mongo-export"), "%2emongo-export");
  assert.equal(directoryName("a/b"), "a%2fb");
  assert.equal(directoryName("end."), "end%2e");
  assert.notEqual(directoryName("Users").toLowerCase(), directoryName("users").toLowerCase());
  assert.ok(directoryName("ü".repeat(200)).length <= 120);
});

test("another id, another name: for every type, without regard to case", () => {
  fc.assert(
    fc.property(fc.array(someId(), { minLength: 2, maxLength: 30 }), (values) => {
      const names = new Map<string, string>();
      for (const value of values) {
        const given = id(value);
        const name = documentName(given).toLowerCase();
        const shown = `${given.type} ${Buffer.from(given.bytes).toString("hex")}`;
        assert.equal(names.get(name) ?? shown, shown);
        names.set(name, shown);
        assert.ok(
          name.length <= 120 && /^[\w%.~-]+$/.test(name) && isDocumentName(documentName(given)),
        );
      }
    }),
  );
});

test("a name that tells its id gives it back, byte for byte", () => {
  fc.assert(
    fc.property(someId(), (value) => {
      const given = id(value);
      const back = idOfName(documentName(given));
      if (back === undefined) assert.match(documentName(given), /~[0-9a-f]{40}\.bson$/);
      else assert.deepEqual(plain(back), plain(given));
    }),
  );
});

test("a path is that of a document only if each of its characters is", () => {
  const change = fc.record({
    at: fc.nat(),
    remove: fc.nat({ max: 2 }),
    put: fc.string({ unit: fc.constantFrom("0", "9", "a", "f", "F", "o", "-", "/", ".", "~") }),
  });
  fc.assert(
    fc.property(someId(), someId(), change, (value, other, { at, remove, put }) => {
      const given = id(value);
      const file = documentPath(given);
      assert.ok(isDocumentPath(file, given));
      const from = at % (file.length + 1);
      const changed = file.slice(0, from) + put + file.slice(from + remove);
      for (const each of [changed, documentPath(id(other)), documentName(given), ""])
        assert.equal(isDocumentPath(each, given), each === file, each);
    }),
  );
});

test("a key leads to the directory, and is another one for another id", () => {
  fc.assert(
    fc.property(fc.array(someId(), { minLength: 2, maxLength: 30 }), (values) => {
      const keys = new Map<string, string>();
      for (const value of values) {
        const given = id(value);
        const key = new Uint32Array(4);
        writeKey(given, key);
        const shown = JSON.stringify(plain(given));
        assert.equal(keys.get(key.join()) ?? shown, shown);
        keys.set(key.join(), shown);
        assert.equal(directoryOfKey(key), directoryOf(given));
        assert.equal(
          documentPath(given),
          `${shardName(directoryOf(given))}/${documentName(given)}`,
        );
        assert.ok(isShardName(shardName(directoryOf(given))));
        const short = shortId(key);
        assert.equal(short === undefined, given.bytes.length > 12);
        if (short !== undefined) assert.deepEqual(plain(short), plain(given));
      }
    }),
  );
});

test("raw documents are walked as the driver's package reads them", () => {
  fc.assert(
    fc.property(someDocument(), (document) => {
      const bytes = BSON.serialize(document);
      assert.ok(isWhole(bytes));
      assert.deepEqual(
        [...elementsOf(bytes)].map(({ key }) => key),
        Object.keys(document),
      );
      for (const { key, type, bytes: value } of elementsOf(bytes)) {
        const found = valueOf(bytes, key);
        assert.deepEqual(found && plain(found), plain({ type, bytes: value }));
      }
      const found = idOf(bytes);
      assert.deepEqual(found && plain(found), plain(id(document["_id"])));
    }),
  );
});

test("an id that does not come first is found, and none is told", () => {
  const bytes = BSON.serialize({
    a: [{ _id: 1 }],
    r: /x/i,
    c: new BSON.Code("f", { a: 1 }),
    _id: "x",
  });
  assert.equal(idOf(bytes)?.type, types.string);
  assert.equal(idOf(BSON.serialize({ a: { _id: 1 } })), undefined);
  assert.equal(idOf(BSON.serialize({})), undefined);
});

test("what is no BSON is an error, and never read beyond its end", () => {
  fc.assert(
    fc.property(
      someDocument(),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      (document, at, byte) => {
        const bytes = Buffer.from(BSON.serialize(document));
        bytes[at % bytes.length] = byte;
        try {
          for (const { bytes: value } of elementsOf(bytes)) assert.ok(value.length <= bytes.length);
          idOf(bytes);
        } catch (error) {
          assert.match(String(error), /expected a document of BSON/);
        }
      },
    ),
  );
});

test("globs of collections", () => {
  assert.ok(matchesName("shop.cache*", "shop", "cache.of.things"));
  assert.ok(matchesName("*.logs", "shop", "logs"));
  assert.ok(matchesName("shop.*", "shop", "a/b"));
  assert.ok(matchesName("shop.a/b", "shop", "a/b"));
  assert.ok(matchesName("#x.!y", "#x", "!y"));
  assert.ok(!matchesName("shop.cache", "shop", "cache2"));
  assert.ok(!matchesName("shop.*", "shop2", "a"));
});

function plain({ type, bytes }: Value): { type: number; hex: string } {
  return { type, hex: Buffer.from(bytes).toString("hex") };
}

function take(answer: object): { taken: readonly unknown[]; iterated: unknown } {
  const cursor = { documents: answer, readBufferedDocuments: () => [] };
  return { taken: takeBuffered(cursor), iterated: Reflect.get(answer, "iterated") };
}

test("documents are taken as they lie in the server's answer, or as the driver does where it is another one", () => {
  const documents = [{ _id: 1 }, { _id: "two", more: { a: [1, 2] } }].map((each) =>
    BSON.serialize(each),
  );
  const [one, two] = documents;
  assert.ok(one !== undefined && two !== undefined);
  const bson = Buffer.concat([Buffer.from("before"), one, Buffer.from("name"), two]);
  const elements = [
    [3, 0, 0, 6, one.length],
    [3, 0, 0, 10 + one.length, two.length],
  ];
  const { taken, iterated } = take({ iterated: 0, batch: { bson, elements } });
  assert.deepEqual(
    taken,
    documents.map((each) => Buffer.from(each)),
  );
  assert.equal(iterated, 2, "the cursor knows that it has none left");
  const others: object[] = [
    { iterated: 1, batch: { bson, elements } },
    { iterated: 0, batch: { bson, elements: [[4, 0, 0, 6, one.length]] } },
    { iterated: 0, batch: { bson, elements: [[3, 0, 0, 7, one.length]] } },
    { iterated: 0, batch: { bson: bson.subarray(0, 8), elements } },
    { iterated: 0, batch: { bson: bson.subarray(0, -1), elements } },
    { iterated: 0, batch: { bson, elements }, encryptedResponse: {} },
    { iterated: 0, batch: { elements } },
    { iterated: 0 },
    {},
  ];
  for (const answer of others) {
    const { iterated: before } = answer as { iterated?: unknown };
    assert.deepEqual(take(answer), { taken: [], iterated: before });
  }
});

test("a document whose elements don't end where they should is damaged, though its length is right", () => {
  const whole = Buffer.from(BSON.serialize({ _id: new BSON.ObjectId(), text: "abc", flag: true }));
  assert.equal(hasElements(whole), true);
  assert.equal(hasElements(Buffer.from(BSON.serialize({}))), true);
  const length = whole.indexOf("text") + 5;
  const damages: readonly ((bytes: Buffer) => unknown)[] = [
    (bytes) => bytes.writeUInt8(1, bytes.length - 1),
    (bytes) => bytes.writeInt32LE(200, length),
    (bytes) => bytes.writeInt32LE(-1, length),
    (bytes) => bytes.writeUInt8(0x55, whole.indexOf("text") - 1),
    (bytes) => bytes.fill(1, whole.indexOf("flag")),
  ];
  for (const damage of damages) {
    const bytes = Buffer.from(whole);
    damage(bytes);
    assert.equal(hasElements(bytes), false, damage.toString());
  }
});
