import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  believed,
  chooseNext,
  transactionsPerFile,
  type Known,
  type NextChoice,
} from "../lib/verify/next.ts";

interface File {
  readonly size: number;
  readonly day: number;
  readonly offset?: number;
  readonly rests?: boolean;
}

const today = 20_000;

function known(files: readonly File[]): Known {
  return {
    count: files.length,
    sizes: Float64Array.from(files, ({ size }) => size),
    days: Uint16Array.from(files, ({ day }) => day),
    begun: new Map(files.flatMap(({ offset = 0 }, at) => (offset > 0 ? [[at, offset]] : []))),
    resting: new Set(files.flatMap(({ rests }, at) => (rests === true ? [at] : []))),
  };
}

function next(files: readonly File[], bytes: number, transactions = Infinity): NextChoice {
  return chooseNext(known(files), { bytes, transactions }, today);
}

function chosen({ chosen: all }: NextChoice): number[] {
  return [...all.keys()].filter((at) => all[at] === 1);
}

test("never verified first, then longest ago, large first", () => {
  const files = [
    { size: 10, day: 19_000 },
    { size: 20, day: 18_000 },
    { size: 5, day: 0 },
    { size: 7, day: 0 },
    { size: 30, day: 18_000 },
  ];
  assert.deepEqual(chosen(next(files, 7)), [3]);
  assert.deepEqual(chosen(next(files, 12)), [2, 3]);
  assert.deepEqual(chosen(next(files, 42)), [2, 3, 4]);
  assert.deepEqual(chosen(next(files, 62)), [1, 2, 3, 4]);
  assert.deepEqual(chosen(next(files, 1000)), [0, 1, 2, 3, 4]);
});

test("what was read back today, has no size or rests is left out", () => {
  const files = [
    { size: 10, day: today },
    { size: -1, day: 0 },
    { size: 10, day: 0, rests: true },
    { size: 10, day: 5 },
  ];
  assert.deepEqual(chosen(next(files, 1000)), [3]);
});

test("a day that is still to come counts for long ago", () => {
  const files = [
    { size: 10, day: 19_999 },
    { size: 10, day: today + 40 },
    { size: 10, day: 0 },
  ];
  assert.deepEqual(chosen(next(files, 20)), [1, 2]);
});

test("a file larger than what is left is begun, and ended another night before others are begun", () => {
  const M = 2 ** 20;
  const first = next(
    [
      { size: 100 * M, day: 0 },
      { size: 50 * M, day: 0 },
    ],
    120 * M,
  );
  assert.deepEqual(chosen(first), [0]);
  assert.deepEqual(first.ranges, [{ file: 1, offset: 0, bytes: 20 * M }]);
  const second = next(
    [
      { size: 100 * M, day: 0 },
      { size: 50 * M, day: 0, offset: 20 * M },
    ],
    120 * M,
  );
  assert.deepEqual(second.ranges, [
    { file: 1, offset: 20 * M, bytes: 30 * M },
    { file: 0, offset: 0, bytes: 90 * M },
  ]);
});

test("a file larger than the budget comes after the others that were never verified", () => {
  const M = 2 ** 20;
  const choice = next(
    [
      { size: 900 * M, day: 0 },
      { size: 3 * M, day: 0 },
      { size: 5 * M, day: 9 },
    ],
    10 * M,
  );
  assert.deepEqual(chosen(choice), [1]);
  assert.deepEqual(choice.ranges, [{ file: 0, offset: 0, bytes: 7 * M }]);
});

test("a rest of the budget that is not worth a transaction is left", () => {
  const M = 2 ** 20;
  const choice = next(
    [
      { size: 10 * M, day: 0 },
      { size: 10 * M - 1, day: 0 },
    ],
    10 * M + 1000,
  );
  assert.deepEqual([chosen(choice), choice.ranges, choice.bytes], [[0], [], 10 * M]);
});

test("empty files don't come every night while larger ones wait", () => {
  const files = [
    { size: 0, day: 19_999 },
    { size: 500, day: 19_000 },
    { size: 0, day: 0 },
  ];
  assert.deepEqual(chosen(next(files, 100)), [2]);
});

test("nothing is chosen without a budget, and transactions are one too", () => {
  const files = [
    { size: 0, day: 0 },
    { size: 5, day: 0 },
    { size: 4, day: 0 },
  ];
  assert.deepEqual(chosen(next(files, 0)), []);
  assert.deepEqual(chosen(next(files, 100, 1)), []);
  assert.deepEqual(chosen(next(files, 100, 5)), [1, 2]);
});

const someFile = fc.record({
  size: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 0, max: 2 ** 45 }),
  ),
  day: fc.oneof(fc.constant(0), fc.integer({ min: today - 3, max: today + 1 })),
  rests: fc.boolean(),
});
const someBudget = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: 2 ** 46 }));

test("no choice goes over its budget, leaves room for more, or takes the later before the earlier", () => {
  fc.assert(
    fc.property(
      fc.array(someFile, { maxLength: 40 }),
      someBudget,
      fc.nat(60),
      (files, bytes, most) => {
        const choice = next(files, bytes, most);
        const whole = chosen(choice).map((at) => files[at] ?? assert.fail());
        const ranges = choice.ranges.reduce((sum, range) => sum + range.bytes, 0);
        const sum = whole.reduce((all, { size }) => all + size, ranges);
        assert.equal(sum, choice.bytes);
        assert.ok(sum <= bytes);
        assert.ok((whole.length + choice.ranges.length) * transactionsPerFile <= most);
        assert.equal(whole.length, choice.files);
        const taken = new Set([...chosen(choice), ...choice.ranges.map(({ file }) => file)]);
        const eligible = files.flatMap((file, at) =>
          file.rests || file.day === today ? [] : [{ ...file, at }],
        );
        const left = eligible.filter(({ at }) => !taken.has(at));
        const worth = Math.min(2 ** 20, Math.ceil(bytes / 10));
        if (left.length > 0 && most - taken.size * transactionsPerFile >= transactionsPerFile)
          assert.ok(bytes - sum <= worth, "a budget is left, and files to read");
        for (const early of left)
          for (const late of eligible.filter(({ at }) => taken.has(at)))
            assert.ok(believed(late.day, today) <= believed(early.day, today), "longest ago first");
      },
    ),
  );
});

test("every byte is read back in as many nights as the budget needs", () => {
  const someSizes = fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(someSizes, fc.integer({ min: 50, max: 400 }), (sizes, budget) => {
      let files: File[] = sizes.map((size) => ({ size, day: 0, offset: 0 }));
      const sum = sizes.reduce((all, size) => all + size, 0);
      // A tenth of the budget may be left for not being worth a transaction.
      const nights = Math.ceil(sum / (budget - Math.ceil(budget / 10))) + 1;
      for (let night = 0; night < nights; night += 1) {
        const choice = next(files, budget);
        const range = new Map(choice.ranges.map((one) => [one.file, one]));
        files = files.map((file, at) => {
          const read = range.get(at);
          const offset = (read?.offset ?? 0) + (read?.bytes ?? 0);
          const done = choice.chosen[at] === 1 || (read !== undefined && offset === file.size);
          return done
            ? { ...file, day: today, offset: 0 }
            : read === undefined
              ? file
              : { ...file, offset };
        });
      }
      assert.deepEqual(
        files.filter(({ day }) => day === 0),
        [],
      );
    }),
  );
});

test("a file larger than the budget is read to its end beside new small files every night", () => {
  const M = 2 ** 20;
  const budget = 1024 * M;
  const small = 1126;
  let offset = 0;
  let nights = 0;
  for (; offset < 5 * budget && nights < 40; nights += 1) {
    // What was new yesterday and was not read is still there, and as much again.
    const files = Array.from({ length: small + nights * 300 }, () => ({ size: M, day: 0 }));
    const choice = next([{ size: 5 * budget, day: 0, offset }, ...files], budget);
    assert.equal(choice.bytes, budget);
    const range = choice.ranges.find(({ file }) => file === 0);
    assert.equal(range?.offset, offset);
    offset += range?.bytes ?? 0;
    if (offset < 4 * budget) assert.ok(choice.files >= 700, "the small ones are read too");
  }
  assert.equal(offset, 5 * budget);
  assert.ok(nights <= 17, `${nights} nights`);
});

test("of the part for large files a begun one has all, until it was read", () => {
  const large = [
    { size: 900, day: 0 },
    { size: 500, day: 0, offset: 100 },
    { size: 800, day: 0 },
    ...Array.from({ length: 20 }, () => ({ size: 10, day: 0 })),
  ];
  assert.deepEqual(next(large, 100).ranges, [{ file: 1, offset: 100, bytes: 25 }]);
  const read = large.map((file, at) => (at === 1 ? { size: 500, day: 19_999 } : file));
  assert.deepEqual(next(read, 100).ranges, [{ file: 0, offset: 0, bytes: 25 }]);
  const all = read.map((file) => (file.size > 500 ? { ...file, day: 19_999 } : file));
  assert.deepEqual(next(all, 100).ranges, [], "nothing is kept for what was read");
  assert.deepEqual(next(large, 100, 2).ranges, [], "nor of what is enough for one file");
});

test("empty files are read with the smallest budget", () => {
  const empty = Array.from({ length: 5 }, () => ({ size: 0, day: 0 }));
  assert.deepEqual(chosen(next(empty, 1)), [0, 1, 2, 3, 4]);
});
