// The file of remembered ends: any name and id, any damage, any length.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { formatEnd, openEnds, type RememberedEnd } from "../lib/retention/endsfile.ts";
import { EndsWalk } from "../lib/retention/endswalk.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { changing, makePruning, remembered, storeOf } from "./helpers/pruning.ts";
import { now } from "./helpers/retention.ts";

test("a damaged file is told once, ignored and written anew", async (t) => {
  const whole = await makePruning(t);
  await whole.run(storeOf({ a: changing, b: changing }), "7 *");
  const good = await readFile(whole.ends);
  const text = gunzipSync(good).toString();
  const flipped = Buffer.from(good);
  const middle = Math.floor(good.length / 2);
  flipped[middle] = (flipped[middle] ?? 0) ^ 0x55;
  const damages: readonly (readonly [string, Buffer | undefined])[] = [
    ["empty", Buffer.alloc(0)],
    ["cut", good.subarray(0, -9)],
    ["flipped", flipped],
    ["no list", Buffer.from("hello\n")],
    ["a line too few", gzipSync(text.replace(/\na\t.*/, ""))],
    ["without its end", gzipSync(text.replace(/#end.*\n/, ""))],
    ["not sorted", gzipSync(text.replace("\na\t", "\nc\t"))],
    ["no number", gzipSync(text.replace(/\d+\nb\t/, "soon\nb\t"))],
    ["a wrong id", gzipSync(text.replace(/\na\t[^\t]*/, "\na\t%zz"))],
    ["a directory", undefined],
  ];
  for (const [what, bytes] of damages) {
    const pruning = await makePruning(t);
    if (bytes === undefined) await mkdir(pruning.ends);
    else await writeFile(pruning.ends, bytes);
    const store = storeOf({ a: changing, b: changing });
    const dry = await pruning.run(store, "7 *", { dryRun: true });
    assert.equal(pruning.warnings.length, 1, what);
    assert.match(pruning.warnings[0] ?? "", /ends\.gz.*are kept longer|EISDIR/, what);
    if (bytes === undefined) {
      // What can't be replaced stops the run before anything is removed.
      const before = store.all();
      await assert.rejects(pruning.run(store, "7 *"), /ends\.gz/);
      assert.deepEqual(store.all(), before);
      continue;
    }
    assert.deepEqual(await readFile(pruning.ends), bytes, what);
    const real = await pruning.run(store, "7 *");
    assert.deepEqual(real.decisions, dry.decisions, what);
    assert.deepEqual(await remembered(pruning), ["a: 8", "b: 8"], what);
    await pruning.run(store, "7 *");
    assert.equal(pruning.warnings.length, 2, what);
  }
});

test("a damaged file is written anew though nothing goes", async (t) => {
  const pruning = await makePruning(t);
  await writeFile(pruning.ends, "?");
  const store = storeOf({ a: [9, 8] });
  await pruning.run(store, "7 *");
  assert.deepEqual(await remembered(pruning), []);
  await pruning.run(store, "7 *");
  assert.equal(pruning.warnings.length, 1);
});

const someEnds = fc
  .uniqueArray(
    fc.record({
      name: fc
        .tuple(fc.constantFrom("", "#end {"), fc.uint8Array({ minLength: 1, maxLength: 6 }))
        .map(([head, bytes]) => head + Buffer.from(bytes).toString("latin1")),
      id: fc.string({ unit: "grapheme", minLength: 1 }).map((id) => `${id}\n\t%`),
      end: fc.integer({ min: 0, max: now }),
    }),
    { selector: ({ name, id }) => `${name} ${id}`, maxLength: 40 },
  )
  .map((ends): RememberedEnd[] =>
    ends
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
      .map((each) => ({ ...each, name: rawFromBytes(each.name) })),
  );

test("any name and any id is read as it was written", async (t) => {
  const { ends: file } = await makePruning(t);
  await fc.assert(
    fc.asyncProperty(someEnds, async (ends) => {
      const text = ends.map(({ name, id, end }) => `${formatEnd(name, id, end)}\n`).join("");
      const head = '#rclone-backups ends 1\n#{"destination":"","prunedAt":""}\n';
      const end = `#end {"versions":${ends.length}}\n`;
      await writeFile(file, gzipSync(Buffer.from(`${head}${text}${end}`, "latin1")));
      const found: RememberedEnd[] = [];
      for await (const page of await openEnds(file, (error) => assert.fail(String(error))))
        found.push(...page);
      assert.deepEqual(found, ends);
    }),
    { numRuns: 100 },
  );
});

test("no more than a page of what is remembered is held", async () => {
  let pages = 0;
  async function* many(): AsyncGenerator<RememberedEnd[]> {
    for (let page = 0; page < 100; page += 1) {
      pages += 1;
      const name = rawFromText(String(page).padStart(3, "0"));
      yield [0, 1].map((id) => ({ name, id: String(id), end: page }));
    }
  }
  const written: string[] = [];
  const walk = new EndsWalk(many(), { write: (line) => written.push(line), visits: () => true });
  for (let page = 0; page < 100; page += 2) {
    const name = rawFromText(String(page).padStart(3, "0"));
    assert.ok(walk.reaches(name));
    const before = await walk.take(name);
    assert.deepEqual(before, new Map([...["0", "1"].map((id) => [id, page] as const)]));
    assert.ok(pages <= page + 2);
    assert.equal(walk.reaches(name), false);
    if (before !== undefined) walk.remember(name, before, before);
  }
  await walk.finish(false);
  assert.deepEqual([walk.lines, written.length, walk.changed], [100, 100, true]);
});
