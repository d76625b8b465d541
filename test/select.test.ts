import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseConditions } from "../lib/units/condition.ts";
import { bySize } from "../lib/verify/order.ts";
import { seededRandom } from "../lib/verify/random.ts";
import type { Random } from "../lib/verify/random.ts";
import { budgetOf, select } from "../lib/verify/select.ts";
import type { Budget, Selection } from "../lib/verify/select.ts";

const someSizes = fc
  .array(fc.oneof(fc.nat(5), fc.nat(1000), fc.maxSafeNat()), { maxLength: 60 })
  .map((sizes) => Float64Array.from(sizes));
const someSeed = fc.integer();
const someFiles = fc.oneof(fc.constant(Infinity), fc.nat(70));

function sum(sizes: Iterable<number>): number {
  let all = 0;
  for (const size of sizes) all += size;
  return all;
}

function chosenSizes(sizes: Float64Array, { chosen }: Selection): number[] {
  return [...sizes].filter((_, at) => chosen[at] === 1);
}

/** The same choice in the words of the documentation, in O(n²). */
function model(sizes: Float64Array, budget: Budget, random: Random): number[] {
  let left = [...bySize(sizes, random)].map((index) => ({ index, size: sizes[index] ?? 0 }));
  const chosen: number[] = [];
  let bytes = 0;
  while (chosen.length < budget.files && bytes < budget.bytes) {
    const fitting = left.filter(({ size }) => !budget.hard || size <= budget.bytes - bytes);
    const biggest = fitting.at(-1);
    if (biggest === undefined) break;
    const wanted = biggest.size * Math.log10(1 + 9 * random());
    const taken = fitting.findLast(({ size }) => size <= wanted) ?? fitting[0];
    assert.ok(taken !== undefined);
    chosen.push(taken.index);
    bytes += taken.size;
    left = left.filter((file) => file !== taken);
  }
  return chosen.toSorted((a, b) => a - b);
}

test("a hard budget is never exceeded, and used as far as files fit", () => {
  fc.assert(
    fc.property(someSizes, fc.maxSafeNat(), someSeed, (sizes, bytes, seed) => {
      const selection = select(sizes, { bytes, hard: true, files: Infinity }, seededRandom(seed));
      assert.ok(selection.bytes <= bytes);
      assert.equal(selection.bytes, sum(chosenSizes(sizes, selection)));
      const rest = [...sizes].filter((_, at) => selection.chosen[at] === 0);
      if (selection.bytes < bytes)
        assert.ok(
          rest.every((size) => size > bytes - selection.bytes),
          "something still fitted",
        );
    }),
  );
});

test("a soft budget is reached, and exceeded by the last file at most", () => {
  fc.assert(
    fc.property(someSizes, fc.nat(5000), someSeed, (sizes, bytes, seed) => {
      const selection = select(sizes, { bytes, hard: false, files: Infinity }, seededRandom(seed));
      assert.ok(selection.bytes >= Math.min(bytes, sum(sizes)));
      const largest = Math.max(0, ...chosenSizes(sizes, selection));
      assert.ok(selection.files === 0 || selection.bytes - largest < bytes);
    }),
  );
});

test("a number of files is met exactly, with or without a budget of bytes", () => {
  fc.assert(
    fc.property(someSizes, fc.nat(70), someSeed, (sizes, files, seed) => {
      const selection = select(sizes, { bytes: Infinity, hard: false, files }, seededRandom(seed));
      assert.equal(selection.files, Math.min(files, sizes.length));
      assert.equal(chosenSizes(sizes, selection).length, selection.files);
      assert.equal(selection.bytes, sum(chosenSizes(sizes, selection)));
      const bounded = select(sizes, { bytes: 1e15, hard: true, files }, seededRandom(seed));
      assert.ok(bounded.files <= files);
    }),
  );
});

test("the same seed chooses the same", () => {
  fc.assert(
    fc.property(
      someSizes,
      fc.nat(),
      fc.boolean(),
      someFiles,
      someSeed,
      (sizes, bytes, hard, files, seed) => {
        const budget = { bytes, hard, files };
        assert.deepEqual(
          select(sizes, budget, seededRandom(seed)),
          select(sizes, budget, seededRandom(seed)),
        );
      },
    ),
  );
});

test("the fast choice is the documented one", () => {
  fc.assert(
    fc.property(
      someSizes,
      fc.nat(20_000),
      fc.boolean(),
      someFiles,
      someSeed,
      (sizes, bytes, hard, files, seed) => {
        const budget = { bytes, hard, files };
        const { chosen } = select(sizes, budget, seededRandom(seed));
        assert.deepEqual(
          [...chosen.keys()].filter((at) => chosen[at] === 1),
          model(sizes, budget, seededRandom(seed)),
        );
      },
    ),
  );
});

test("the order is by size, and every file is in it once", () => {
  fc.assert(
    fc.property(someSizes, someSeed, (sizes, seed) => {
      const order = [...bySize(sizes, seededRandom(seed))];
      assert.deepEqual(
        order.toSorted((a, b) => a - b),
        [...sizes.keys()],
      );
      const sorted = order.map((index) => sizes[index] ?? -1);
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => a - b),
      );
    }),
  );
});

test("with a budget of bytes larger files are strongly preferred", () => {
  const sizes = Float64Array.from({ length: 1000 }, (_, at) => (at + 1) * 1000);
  const budget = { bytes: sum(sizes) / 10, hard: false, files: Infinity };
  const { bytes, files } = select(sizes, budget, seededRandom(1));
  assert.ok(bytes / files > 600_000, `mean of the chosen ${bytes / files}, of all 500,500`);
});

test("among files of one size every file gets its turn", () => {
  const sizes = new Float64Array(20).fill(4096);
  const times = new Uint32Array(20);
  for (let seed = 0; seed < 400; seed += 1) {
    const { chosen } = select(
      sizes,
      { bytes: 5 * 4096, hard: true, files: Infinity },
      seededRandom(seed),
    );
    for (const at of times.keys()) times[at] = (times[at] ?? 0) + (chosen[at] ?? 0);
  }
  // 100 each on average.
  assert.ok(
    times.every((count) => count > 60 && count < 140),
    String(times),
  );
});

test("neighbouring seeds draw independent numbers", () => {
  for (let draw = 0; draw < 5; draw += 1) {
    const numbers = Array.from({ length: 1000 }, (_, seed) => {
      const random = seededRandom(seed);
      for (let at = 0; at < draw; at += 1) random();
      return random();
    });
    const mean = sum(numbers) / numbers.length;
    assert.ok(mean > 0.45 && mean < 0.55, `draw ${draw}: mean ${mean}`);
    assert.ok(Math.min(...numbers) < 0.02 && Math.max(...numbers) > 0.98);
  }
});

test("a uniform choice gives every file the same chance", () => {
  const sizes = Float64Array.from({ length: 20 }, (_, at) => 10 ** (at % 10));
  const times = new Uint32Array(20);
  for (let seed = 0; seed < 400; seed += 1) {
    const { chosen } = select(
      sizes,
      { bytes: Infinity, hard: false, files: 5 },
      seededRandom(seed),
    );
    for (const at of times.keys()) times[at] = (times[at] ?? 0) + (chosen[at] ?? 0);
  }
  assert.ok(
    times.every((count) => count > 60 && count < 140),
    String(times),
  );
});

test("budgets are counted from the pool", () => {
  const pool = { files: 7, bytes: 1000 };
  const of = (...conditions: string[]): Budget => budgetOf(parseConditions(conditions), pool);
  assert.deepEqual(of("all"), { bytes: Infinity, hard: false, files: Infinity });
  assert.deepEqual(of("data=0"), { bytes: 0, hard: false, files: Infinity });
  assert.deepEqual(of("data=<1K"), { bytes: 1024, hard: true, files: Infinity });
  assert.deepEqual(of("data=<50%", "files=3"), { bytes: 500, hard: true, files: 3 });
  assert.deepEqual(of("files=1%"), { bytes: Infinity, hard: false, files: 1 });
  assert.deepEqual(of("files=0%"), { bytes: Infinity, hard: false, files: 0 });
  assert.deepEqual(of("files=100%", "hash"), { bytes: Infinity, hard: false, files: 7 });
});
