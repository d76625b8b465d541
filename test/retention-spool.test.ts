// What is to be removed waits in a file: it names these versions of these files, and no others.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { LineSpool } from "../lib/process/spool.ts";
import type { Removals } from "../lib/retention/apply.ts";
import { readRemovals, spoolRemovals } from "../lib/retention/spool.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { MemoryStore } from "./helpers/memorystore.ts";
import { makePruning } from "./helpers/pruning.ts";

async function scratchFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-spool-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return path.join(directory, "removals");
}

async function thereAndBack(file: string, all: readonly Removals[]): Promise<Removals[]> {
  const spool = new LineSpool(file);
  for (const removals of all) spoolRemovals(spool, removals);
  spool.close();
  const found: Removals[] = [];
  for await (const page of readRemovals(file))
    found.push(...page.map(({ path: plain, versions }) => ({ path: plain, versions })));
  return found;
}

/** Bytes in Latin-1, with those that mean something in the file more often. */
const anyName = fc
  .array(
    fc.oneof(
      fc.constantFrom(..."\t\n\r\0\x7f%/0a".split("")),
      fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => rawFromBytes(parts.join("")));
const anyId = fc.array(
  fc.oneof(
    fc.constantFrom(..."\t\n%/ ".split("")),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
);
const anyVersion: fc.Arbitrary<Omit<StoredVersion, "name">> = fc.record({
  id: anyId.map((parts) => parts.join("")),
  kind: fc.constantFrom("file", "marker"),
  size: fc.maxSafeNat(),
  storedAt: fc.maxSafeNat(),
  modifiedAt: fc.option(fc.integer(), { nil: undefined }),
});
const anyRemovals = fc
  .record({ path: anyName, name: anyName, versions: fc.array(anyVersion, { maxLength: 4 }) })
  .map(({ path: plain, name, versions }) => ({
    path: plain,
    versions: versions.map((version): StoredVersion => ({ name, ...version })),
  }));

test("any names and any ids are read as they were written", async (t) => {
  const file = await scratchFile(t);
  await fc.assert(
    fc.asyncProperty(fc.array(anyRemovals, { maxLength: 20 }), async (all) => {
      const something = all.filter(({ versions }) => versions.length > 0);
      assert.deepEqual(await thereAndBack(file, all), something);
    }),
    { numRuns: 200 },
  );
});

test("a file whose versions are cut by the end of a page stays whole", async (t) => {
  const file = await scratchFile(t);
  const all = Array.from({ length: 400 }, (_, at): Removals => {
    const name = rawFromBytes(`${"x".repeat(at % 97)}\n${at}`);
    const version = { name, kind: "file", size: at, storedAt: at, modifiedAt: undefined } as const;
    const versions = Array.from({ length: (at % 40) + 1 }, (_each, id) => ({
      ...version,
      id: `id ${id}`,
    }));
    return { path: name, versions };
  });
  assert.deepEqual(await thereAndBack(file, all), all);
});

test("a name with a line in it that looks like another file's removes nothing of that", async (t) => {
  const pruning = await makePruning(t);
  const store = new MemoryStore();
  const names = [
    "victim",
    "x\n/victim\tvictim\nf\tid-1\t3\t0\t",
    "tab\tvictim",
    "nul\0",
    "line\n",
    "tab%09victim",
    "%",
    "\x7f",
  ];
  for (const name of names) store.put(name, "new");
  const [victim] = await store.versionsOf(rawFromBytes("victim"));
  assert.equal(victim?.id, "id-1");
  for (const name of names.slice(1)) store.put(name, "newer");
  const { decisions, applied } = await pruning.run(store, "7 *", { purge: true });
  assert.deepEqual(
    decisions.map(({ version }) => version.name).toSorted(),
    names.slice(1).toSorted(),
  );
  assert.deepEqual([applied?.removed, applied?.failures], [names.length - 1, []]);
  assert.deepEqual(
    store.removals.flat().map(({ name }) => name),
    decisions.map(({ version }) => version.name),
  );
  assert.deepEqual(store.visible(), names.toSorted());
  assert.equal(store.all().length, names.length);
});
