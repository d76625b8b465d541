import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { assignNames, type NewSection, type OldSection } from "../lib/chunks/assign.ts";
import { chunkName, parseChunkName, sectionLabel } from "../lib/chunks/names.ts";
import { fillNumbers } from "../lib/chunks/number.ts";

/* Names of chunks: in the order of the dump, and where they were whenever that can be. */

function fresh(sections: Readonly<Record<string, string>>): NewSection[] {
  return Object.entries(sections).map(([label, chunks]) => ({
    label,
    chunks: chunks.split("").map((hash) => ({ hash, bytes: 100 })),
  }));
}

/** The set that names make of sections. */
function setOf(
  sections: readonly NewSection[],
  names: readonly (readonly string[])[],
): OldSection[] {
  return sections.map(({ label, chunks }, at) => {
    const parts = (names[at] ?? []).map(parseChunkName);
    return {
      label,
      number: parts[0]?.section ?? 0,
      chunks: chunks.map((chunk, index) => ({ ...chunk, number: parts[index]?.chunk ?? 0 })),
    };
  });
}

/** Splits one after another; the names of each, by content. */
function run(...dumps: readonly Readonly<Record<string, string>>[]): Map<string, string>[] {
  let old: OldSection[] = [];
  return dumps.map((dump) => {
    const sections = fresh(dump);
    const names = assignNames(old, sections);
    const flat = names.flat();
    assert.deepEqual(flat, [...new Set(flat)].toSorted(), "names increase");
    old = setOf(sections, names);
    return new Map(
      sections.flatMap(({ label, chunks }, at) =>
        chunks.map(({ hash }, index) => [`${label} ${hash}`, names[at]?.[index] ?? ""] as const),
      ),
    );
  });
}

function assertSame(one: Map<string, string>, other: Map<string, string>, contents: string): void {
  for (const content of contents.split(", "))
    assert.equal(other.get(content), one.get(content), content);
}

test("a table that is added, at any place, changes no other name", () => {
  const all = { head: "h", a: "1234", b: "5", c: "67", tail: "t" };
  const { b, ...without } = all;
  assert.equal(b, "5");
  const [before = new Map<string, string>(), after = new Map<string, string>()] = run(without, all);
  assertSame(before, after, "head h, a 1, a 2, a 3, a 4, c 6, c 7, tail t");
  const [first = new Map<string, string>(), second = new Map<string, string>()] = run(
    { head: "h", tail: "t" },
    all,
  );
  assertSame(first, second, "head h, tail t");
});

test("a changed chunk takes the place of what was between the same neighbours", () => {
  const [one = new Map<string, string>(), two = new Map<string, string>()] = run(
    { a: "12345" },
    { a: "12x45" },
  );
  assertSame(one, two, "a 1, a 2, a 4, a 5");
  assert.equal(two.get("a x"), one.get("a 3"));
});

test("a chunk more in the middle gets a number in the gap, one less leaves the rest", () => {
  const [
    one = new Map<string, string>(),
    two = new Map<string, string>(),
    three = new Map<string, string>(),
  ] = run({ a: "12345" }, { a: "123xy45" }, { a: "1245z" });
  assertSame(one, two, "a 1, a 2, a 3, a 4, a 5");
  assertSame(one, three, "a 1, a 2, a 4, a 5");
  assert.equal(parseChunkName(three.get("a z") ?? "")?.chunk, 6000);
});

test("a table that moves gets a new name, and no other does", () => {
  const [one = new Map<string, string>(), two = new Map<string, string>()] = run(
    { head: "h", a: "1", b: "2345", c: "6", tail: "t" },
    { head: "h", c: "6", a: "1", b: "2345", tail: "t" },
  );
  assertSame(one, two, "head h, a 1, b 2, b 3, b 4, b 5, tail t");
  assert.notEqual(one.get("c 6"), two.get("c 6"));
});

test("a thousand tables added one after another in the same place leave the others alone", () => {
  let old: OldSection[] = [];
  const labels = ["head", "big", "users", "tail"];
  const add = (): readonly (readonly string[])[] => {
    const sections = labels.map((label) => ({
      label,
      chunks: [{ hash: label, bytes: label === "big" ? 1e9 : 10 }],
    }));
    const names = assignNames(old, sections);
    assert.deepEqual(names.flat(), names.flat().toSorted());
    const moved = sections.filter(({ label }, at) => {
      const before = old.find((section) => section.label === label);
      return (
        before !== undefined && parseChunkName(names[at]?.[0] ?? "")?.section !== before.number
      );
    });
    old = setOf(sections, names);
    renamed += moved.length;
    assert.ok(moved.every(({ label }) => label !== "big"));
    return names;
  };
  let renamed = 0;
  add();
  for (let day = 0; day < 1000; day += 1) {
    labels.splice(2 + day, 0, `log_${day}`);
    add();
  }
  assert.ok(renamed < 1000, `${renamed} renamed by adding behind`);
  renamed = 0;
  // Before all others, which leaves the least room.
  for (let day = 0; day < 300; day += 1) {
    labels.splice(1, 0, `old_${day}`);
    add();
  }
  assert.ok(renamed < 9000, `${renamed} renamed by adding before`);
});

test("names of any two dumps increase, and what is kept in order keeps its name", () => {
  const dump = fc.dictionary(
    fc.constantFrom("a", "b", "c", "d", "e"),
    fc.string({
      unit: fc.constantFrom("1", "2", "3", "4", "5", "6", "7", "8", "9"),
      minLength: 1,
      maxLength: 12,
    }),
  );
  fc.assert(
    fc.property(fc.array(dump, { minLength: 1, maxLength: 6 }), (dumps) => {
      const last = dumps.at(-1) ?? {};
      const results = run(...dumps, last);
      assert.deepEqual(results.at(-1), results.at(-2));
    }),
  );
});

test("numbers are filled in so that they increase and stay within bounds", () => {
  const numbering = { largest: 200, step: 10, lastIsFar: false };
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 40 }),
      fc.array(fc.nat(39), { maxLength: 60 }),
      (numbers, gaps) => {
        const items: { number: number | undefined; weight: number }[] = numbers
          .toSorted((one, other) => one - other)
          .map((number) => ({ number, weight: number % 7 }));
        for (const gap of gaps)
          items.splice(Math.min(gap, items.length), 0, { number: undefined, weight: 1 });
        const filled = fillNumbers(items, numbering);
        assert.equal(filled.length, items.length);
        assert.ok(filled.every((number, at) => number > (filled[at - 1] ?? 0) && number <= 200));
      },
    ),
  );
  assert.throws(() =>
    fillNumbers(
      Array.from({ length: 201 }, () => ({ number: undefined, weight: 1 })),
      numbering,
    ),
  );
});

test("labels are safe everywhere, short, and tell sections apart", () => {
  assert.equal(
    sectionLabel({ kind: "data", database: "shop", table: "orders" }),
    "shop.orders.data",
  );
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 64 }),
      fc.string({ unit: "grapheme", maxLength: 64 }),
      (database, table) => {
        const label = sectionLabel({ kind: "structure", database, table });
        const name = chunkName({ section: 1, chunk: 2, label });
        assert.deepEqual(parseChunkName(name), { section: 1, chunk: 2, label });
        assert.ok(name.length <= 90, name);
      },
    ),
  );
  const pairs = [
    ["a.b", "c"],
    ["a", "b.c"],
    ["a", "b c"],
    ["a", "b\nc"],
    ["x".repeat(64), "y".repeat(64)],
    ["x".repeat(64), `${"y".repeat(63)}z`],
    ["größe", "ü"],
    ["größe", "ä"],
  ];
  const labels = pairs.map(([database, table]) => sectionLabel({ kind: "data", database, table }));
  assert.equal(new Set(labels).size, pairs.length);
  for (const name of [
    "a.sql",
    "0001000000-00001000-.sql",
    "1-2-a.sql",
    "0001000000-00001000-a.sql~",
  ])
    assert.equal(parseChunkName(name), undefined);
});
