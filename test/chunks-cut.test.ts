import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Cutter } from "../lib/chunks/cut.ts";
import { seededRandom } from "../lib/verify/random.ts";

/* Where sections are cut: at ends of lines, by their content, so that a change moves few cuts. */

const target = 64 * 1024;

/** All chunks of a text; bytes come `step` at a time, as they are read. */
function chunksOf(text: Buffer, step = 50_000): string[] {
  const cutter = new Cutter(target);
  const chunks: string[] = [];
  let start = 0;
  const give = (end: number): void => {
    if (end > start) chunks.push(text.toString("latin1", start, end));
    start = end;
    cutter.begin();
  };
  for (let limit = 0; limit < text.length;) {
    limit = Math.min(limit + step, text.length);
    for (;;) {
      const end = cutter.find(text, start, limit);
      if (end === undefined) break;
      give(end);
    }
  }
  give(text.length);
  return chunks;
}

function countNew(before: readonly string[], after: readonly string[]): number {
  const old = new Set(before);
  return after.filter((chunk) => !old.has(chunk)).length;
}

/** Rows that differ in their number alone, in the way that `kind` says. */
function row(kind: "first" | "middle" | "constant length", id: number): string {
  if (kind === "first") return `INSERT INTO t VALUES (${id},'${"x".repeat(60)}',NULL,NULL);\n`;
  if (kind === "middle") return `${"a".repeat(70)}${id}${"z".repeat(70)}\n`;
  return `${String(id).padStart(12, "0")} the same for every row, of one length\n`;
}

for (const kind of ["first", "middle", "constant length"] as const)
  test(`k changed rows change about k chunks (rows differ: ${kind})`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.integer({ min: 1, max: 4 }),
        (seed, k) => {
          const random = seededRandom(seed);
          const first = Math.floor(random() * 1e9);
          const rows = Array.from({ length: 15_000 }, (_, at) => row(kind, first + 2 * at));
          const before = chunksOf(Buffer.from(rows.join(""), "latin1"));
          for (let change = 0; change < k; change += 1) {
            const at = Math.floor(random() * rows.length);
            const what = random();
            if (what < 0.34) rows.splice(at, 1);
            else if (what < 0.67) rows.splice(at, 0, row(kind, first + 2 * at + 1));
            else rows[at] = row(kind, first + 2e9 + at);
          }
          const after = chunksOf(Buffer.from(rows.join(""), "latin1"));
          // A row that is a cut itself, or moves the least size over one, costs some more.
          assert.ok(countNew(before, after) <= 2 * k + 4, `${countNew(before, after)} for ${k}`);
        },
      ),
      { numRuns: 25 },
    );
  });

test("hardly ever more than one chunk changes for one row", () => {
  const rows = Array.from({ length: 40_000 }, (_, at) => row("first", 2 * at));
  const before = chunksOf(Buffer.from(rows.join("")));
  const random = seededRandom(4711);
  let most = 0;
  for (let round = 0; round < 40; round += 1) {
    const at = Math.floor(random() * rows.length);
    const after = chunksOf(
      Buffer.from([...rows.slice(0, at), row("first", 2 * at - 1), ...rows.slice(at)].join("")),
    );
    most += countNew(before, after);
  }
  assert.ok(most <= 52, `${most} chunks for 40 rows`);
});

test("after many rows have gone from the beginning, the cuts are soon where they were", () => {
  const rows = Array.from({ length: 60_000 }, (_, at) => row("first", at));
  const before = chunksOf(Buffer.from(rows.join("")));
  let most = 0;
  for (const gone of [300, 700, 1100, 5000]) {
    const after = chunksOf(Buffer.from(rows.slice(gone).join("")));
    most = Math.max(most, countNew(before, after));
  }
  assert.ok(most <= before.length / 3, `${most} of ${before.length}`);
});

test("chunks have the target size on average, end with lines, and don't depend on how bytes come", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 30 }),
      fc.constantFrom(20, 200, 3000, 20_000),
      fc.integer({ min: 1000, max: 300_000 }),
      (seed, length, step) => {
        const random = seededRandom(seed);
        let text = "";
        while (text.length < 40 * target)
          text += `${String(random()).repeat(Math.ceil((random() * length) / 9))}\n`;
        const bytes = Buffer.from(text, "latin1");
        const chunks = chunksOf(bytes, step);
        assert.equal(chunks.join(""), text);
        assert.deepEqual(chunks, chunksOf(bytes, 2 ** 30));
        for (const chunk of chunks.slice(0, -1)) {
          assert.ok(chunk.length >= (target / 4) * 3 && chunk.length <= 2 * target);
          assert.ok(chunk.endsWith("\n"));
        }
        const mean = text.length / chunks.length;
        assert.ok(mean > 0.8 * target && mean < 1.4 * target, `${mean} on average`);
      },
    ),
    { numRuns: 20 },
  );
});

test("a line that is longer than memory is cut within", () => {
  const line = Buffer.alloc(7 * target, "x");
  const chunks = chunksOf(Buffer.concat([line, Buffer.from("\nnext\n")]));
  assert.equal(chunks.join("").length, line.length + 6);
  assert.ok(chunks.every((chunk) => chunk.length <= 2 * target));
});

test("lines that are all the same are cut at their ends", () => {
  const chunks = chunksOf(Buffer.from("the same\n".repeat(60_000)));
  assert.ok(chunks.every((chunk) => chunk.endsWith("\n") && chunk.length <= 2 * target));
});
