import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeText, firstBadByte } from "../lib/config/text.ts";

test("the first bad byte is where the valid text ends", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      ...["ff", "c3", "e282", "f09f98", "eda080", "c080", "efbfbd", "0a"].map((hex) =>
        Buffer.from(hex, "hex"),
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      const bad = firstBadByte(bytes);
      assert.ok(isUtf8(bytes.subarray(0, bad)));
      if (bad === bytes.length) return assert.ok(isUtf8(bytes));
      // No character begins at the bad byte.
      for (let end = bad + 1; end <= Math.min(bytes.length, bad + 4); end += 1) {
        assert.ok(!isUtf8(bytes.subarray(bad, end)));
      }
    }),
    { numRuns: 1000 },
  );
});

test("a byte order mark goes, one in the middle stays", () => {
  assert.equal(decodeText(Buffer.from("\uFEFFa\uFEFF"), "f"), "a\uFEFF");
  assert.equal(decodeText(Buffer.from(""), "f"), "");
});
