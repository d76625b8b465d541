import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Pages } from "../lib/manifest/pages.ts";
import { PlanSpool } from "../lib/restore/spool.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";

async function all<T>(pages: Pages<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) found.push(...page);
  return found;
}

const name = fc
  .array(fc.constantFrom("a", "b", "/", "!", "\xff", " "), { minLength: 1, maxLength: 4 })
  .map((letters) => rawFromBytes(letters.join("")));
const plain = { noNullPrototype: true };
const file = fc.record(
  {
    path: name,
    target: name,
    version: fc.record(
      { size: fc.nat(), id: fc.constantFrom("x", "\u{1f4be}", "tab\there", "ÿ") },
      plain,
    ),
  },
  plain,
);

test("a plan reads the same, sorted or not, in memory and on disk", async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), "restore-spool-"));
  t.after(() => rm(scratch, { recursive: true, force: true }));
  let serial = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(file, { maxLength: 12 }), async (files) => {
      const held = new PlanSpool<(typeof files)[number]>(join(scratch, `held${serial}`));
      const spilt = new PlanSpool<(typeof files)[number]>(join(scratch, `spilt${serial}`), 3);
      serial += 1;
      for (const spool of [held, spilt]) {
        for (const one of files) spool.write(one);
        spool.close();
        assert.deepEqual(await all(spool.read()), files);
      }
      assert.equal(existsSync(join(scratch, `spilt${serial - 1}`)), files.length > 3);
      assert.equal(existsSync(join(scratch, `held${serial - 1}`)), false);
      const [one, other] = await Promise.all(
        [held, spilt].map(async (spool) => all(await spool.sorted(scratch, t.signal))),
      );
      assert.deepEqual(one, other);
    }),
    { numRuns: 15 },
  );
});
