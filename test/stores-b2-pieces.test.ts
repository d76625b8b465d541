import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parsePage } from "../lib/stores/b2/pieces.ts";

/* A page that is parsed in pieces is what JSON.parse makes of it, whatever its names hold. */

const pages = fc.record({
  files: fc.array(
    fc.record({
      // Cuts that are none, and names that fill several pieces.
      fileName: fc.oneof(fc.string(), fc.constantFrom('},{"', "},\n {", "\u00e9\u{1f600}\\", "]}")),
      fileInfo: fc.dictionary(fc.string(), fc.constantFrom("},{", '"', "x".repeat(20_000))),
      nested: fc.array(fc.record({ a: fc.constant("y".repeat(9000)) })),
    }),
    { maxLength: 12 },
  ),
  nextFileName: fc.option(fc.string()),
});

test("a page in pieces is the whole page", () => {
  fc.assert(
    fc.property(pages, fc.constantFrom(undefined, 2, "\t"), (page, space) => {
      const body = Buffer.from(JSON.stringify(page, undefined, space));
      assert.deepEqual(
        parsePage(body, (file) => file),
        JSON.parse(body.toString()),
      );
      assert.throws(() => parsePage(body.subarray(0, -1), (file) => file), SyntaxError);
    }),
    { numRuns: 200 },
  );
});

test("of each file is kept what is picked, and what is no page is parsed as a whole", () => {
  const files = Array.from({ length: 5000 }, (_, at) => ({ at, more: "z".repeat(40) }));
  const body = Buffer.from(JSON.stringify({ files, next: null }));
  let picked = 0;
  const found = parsePage(body, ({ at }) => {
    picked += 1;
    return { at };
  });
  assert.deepEqual(found, { files: files.map(({ at }) => ({ at })), next: null });
  assert.equal(picked, 5000);
  for (const text of ['{"a":1}', "[]", '{"files":[]}', '{"files":{}}', '{"files":[1,null]}'])
    assert.deepEqual(
      parsePage(Buffer.from(text), (file) => file),
      JSON.parse(text),
    );
});
