// Names of files and the keys under which a service has them: every version is addressed by its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { defaultEncodings, nameEncoding } from "../lib/stores/encoding.ts";
import { StoreNames } from "../lib/stores/names.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";

const encodings = [defaultEncodings.b2, defaultEncodings.s3, "Slash,Dot", "Slash,Ctl,Percent,Dot"];

const unit = fc.oneof(
  fc.constantFrom(..."abZ09 ._-%\\/\t\n\0\x7f␉␊‛＼．‛é😀\u2400".split("")),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
const keys = fc.array(unit, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(""));

test("what a listing names is addressed by the very key and id that it had", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...encodings),
      fc.constantFrom("", "some where"),
      fc.uniqueArray(keys, { minLength: 1, maxLength: 5 }),
      (option, directory, below) => {
        const names = new StoreNames(rawFromText(directory), nameEncoding(option));
        const found = new Set<string>();
        for (const key of below.map((each) => names.prefix(rawFromText("")) + each)) {
          const named = names.named(key, names.bytes(key), "an id");
          assert.deepEqual(names.address(named), { key, id: "an id" });
          // Read the long way, it is the same.
          const slowly = new StoreNames(rawFromText(directory), nameEncoding(option), /(?!)/);
          assert.deepEqual(slowly.named(key, names.bytes(key), "an id"), named);
          found.add(named.name);
        }
        assert.equal(found.size, below.length, "no two files have one name");
      },
    ),
    { numRuns: 500 },
  );
});

test("a name that the service can't have is not written as another", () => {
  const names = new StoreNames(rawFromText("d"), nameEncoding("Slash,Dot"));
  for (const act of [
    () => names.key(rawFromBytes("caf\xe9")),
    () => names.own(rawFromBytes("caf\xe9")),
    () => names.prefix(rawFromBytes("caf\xe9/")),
    () => names.address({ name: rawFromBytes("caf\xe9"), id: "1" }),
    () => new StoreNames(rawFromBytes("caf\xe9"), nameEncoding("Slash")).prefix(rawFromText("")),
  ])
    assert.throws(act, /expected a name that the store can hold, found one that is not UTF-8/);
  assert.throws(() => names.key(rawFromText("")), RangeError);
  for (const option of Object.values(defaultEncodings))
    assert.equal(
      new StoreNames(rawFromText("d"), nameEncoding(option)).key(rawFromBytes("caf\xe9")),
      "d/caf\u201bE9",
    );
});
