import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { Entry } from "../lib/manifest/entry.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { hashInto } from "../lib/verify/keyedhash.ts";
import { FileKeys, KeyTable, scanLines } from "../lib/verify/keys.ts";
import { daysBy, readLedger, writeLedger } from "../lib/verify/ledger.ts";
import { readParts, writeParts } from "../lib/verify/parts.ts";

const hashKey = { low: 0x0302_0100, high: 0x0706_0504 };

async function directory(t: TestContext): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "rclone-backups-ledger-"));
  t.after(async () => rm(made, { recursive: true }));
  return made;
}

function entry(name: string, size = 1, time = "2024-05-06T07:08:09Z"): Entry {
  return { path: rawFromBytes(name), size, time };
}

function keysOf(names: Iterable<string>): FileKeys {
  const keys = new FileKeys(hashKey);
  for (const name of names) keys.addFile(entry(name));
  return keys;
}

test("the hash is HalfSipHash-2-4 with 64 bits", () => {
  // Of the published vectors: the input 0, 1, 2, … of each length.
  const vectors = new Map([
    [0, "218d1f59b9b83cc8"],
    [1, "be552412f8387315"],
    [3, "ce0f1a45f7060679"],
    [4, "d5e78a175be52ea1"],
    [7, "ff202728b07bc684"],
    [8, "edfee820bce4858c"],
    [63, "2ea63c71bf326087"],
  ]);
  for (const [length, expected] of vectors) {
    const into = new Uint32Array(3);
    const bytes = Uint8Array.from({ length: length + 2 }, (_, at) => at - 1);
    hashInto(into, 1, bytes, 1, length + 1, hashKey);
    const found = Buffer.alloc(8);
    found.writeUInt32LE(into[1] ?? 0);
    found.writeUInt32LE(into[2] ?? 0, 4);
    assert.equal(found.toString("hex"), expected, `length ${length}`);
  }
});

test("a file is known by path, size and whole seconds of its time", () => {
  const same = [
    entry("a/b", 12, "2024-05-06T07:08:09Z"),
    entry("a/b", 12, "2024-05-06T07:08:09.123456789Z"),
    entry("a/b", 12, "2024-05-06 07:08:09"),
  ];
  const others = [
    entry("a/c", 12),
    entry("a/b", 13),
    entry("a/b", 12, "2024-05-06T07:08:10Z"),
    entry("a/b", -1),
  ];
  const keys = new FileKeys(hashKey);
  for (const one of [...same, ...others]) keys.addFile(one);
  const uncertain = Buffer.from("a/b\t12\t2024-05-06T07:08:09Z\t?");
  assert.ok(keys.add(uncertain, 0, uncertain.length));
  const text = Array.from({ length: keys.count }, (_, at) =>
    keys.keys.subarray(at * 2, at * 2 + 2).join(),
  );
  assert.equal(new Set(text.slice(0, 3)).size, 1);
  assert.equal(new Set(text).size, 1 + others.length + 1);
  assert.equal(keys.sizes[0], 12);
  assert.equal(keys.sizes[6], -1);
  for (const line of [
    "",
    "a",
    "a\t1",
    "a\tx\t2024-05-06T07:08:09Z",
    "a\t1\t2024",
    "\t1\t2024-05-06T07:08:09Z",
  ])
    assert.equal(keys.add(Buffer.from(line), 0, line.length), false, line);
});

test("lines are found wherever a stream is cut", async () => {
  const someLines = fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 9 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(
      someLines,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (lines, cuts) => {
        const whole = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        let turn = 0;
        async function* stream(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < whole.length;) {
            const value = cuts[turn++ % cuts.length] ?? 1;
            yield whole.subarray(at, at + value);
            at += value;
          }
        }
        const found: string[] = [];
        await scanLines(stream(), (bytes, start, end) =>
          found.push(Buffer.from(bytes.subarray(start, end)).toString()),
        );
        assert.deepEqual(found, lines);
      },
    ),
  );
});

test("a ledger comes back as it was written, whatever files came, went or moved", async (t) => {
  const file = path.join(await directory(t), "ledger");
  const someNames = fc.uniqueArray(fc.nat(30), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(someNames, someNames, fc.nat(3), async (before, after, drawn) => {
      const days = (name: number): number => (name * 7 + drawn) % 4;
      const written = keysOf(before.map(String));
      await writeLedger(file, written, Uint16Array.from(before, days));
      const { ledger } = await readLedger(file, { setAside: true });
      const found = daysBy(ledger, keysOf(after.map(String)));
      assert.deepEqual(
        [...found],
        after.map((name) => (before.includes(name) ? days(name) : 0)),
      );
    }),
    { numRuns: 60 },
  );
});

test("a table finds each of many files and no other", () => {
  const names = Array.from({ length: 5000 }, (_, at) => `some/file ${at}`);
  const keys = keysOf(names);
  const table = new KeyTable(keys);
  for (let at = 0; at < names.length; at += 1) assert.equal(table.find(keys.keys, at * 2), at);
  const others = keysOf(names.map((name) => `${name}x`));
  for (let at = 0; at < names.length; at += 1) assert.equal(table.find(others.keys, at * 2), -1);
  assert.equal(new KeyTable(keysOf([])).find(keys.keys, 0), -1);
});

test("a ledger that is cut or damaged anywhere is told and set aside, never believed", async (t) => {
  const at = await directory(t);
  const file = path.join(at, "ledger");
  await writeLedger(file, keysOf(["a", "b", "c"]), Uint16Array.of(1, 2, 3));
  const good = await readFile(file);
  const bad = [
    Buffer.alloc(0),
    good.subarray(0, 20),
    good.subarray(0, -1),
    Buffer.concat([good, Buffer.alloc(1)]),
    ...Array.from(good, (_, place) => {
      const copy = Buffer.from(good);
      copy[place] = (copy[place] ?? 0) ^ 1;
      return copy;
    }),
  ];
  for (const bytes of bad) {
    await writeFile(file, bytes);
    const shown = await readLedger(file, { setAside: false });
    assert.deepEqual(shown, { ledger: undefined, damaged: file });
  }
  assert.deepEqual(await readLedger(file, { setAside: true }), {
    ledger: undefined,
    damaged: `${file}.damaged`,
  });
  assert.deepEqual(await readdir(at), ["ledger.damaged"]);
  assert.deepEqual(await readLedger(file, { setAside: true }), {
    ledger: undefined,
    damaged: undefined,
  });
});

test("ten million bytes are enough for a million files", async (t) => {
  const file = path.join(await directory(t), "ledger");
  const count = 1_000_000;
  const keys = Uint32Array.from({ length: count * 2 }, (_, at) => Math.imul(at, 0x9e37_79b1));
  await writeLedger(file, { hashKey, keys, count }, new Uint16Array(count).fill(9));
  assert.ok((await readFile(file)).length < 10_001_000);
});

test("parts of files keep names of any bytes, and damage is told", async (t) => {
  const file = path.join(await directory(t), "parts.json");
  const parts = ["plain", "br\xc3\xbccke", "not utf-8 \xff\xfe", "[glob]*"].map((name, at) => ({
    ...entry(name, 100 + at),
    ...{ offset: at, since: "2026-01-31", restarts: at },
  }));
  const vain = [{ ...entry("va\xffin"), day: "2026-02-01" }];
  await writeParts(file, { parts, vain });
  assert.deepEqual(await readParts(file, { setAside: true }), {
    parts: { parts, vain },
    damaged: undefined,
  });
  assert.match(await readFile(file, "utf8"), /"brücke"/);
  for (const text of ["", "{", "[]", '{"version":2}', '{"version":1,"parts":[{}],"vain":[]}']) {
    await writeFile(file, text);
    const { parts: none, damaged } = await readParts(file, { setAside: true });
    assert.deepEqual([none, damaged], [{ parts: [], vain: [] }, `${file}.damaged`]);
  }
});
