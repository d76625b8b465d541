import assert from "node:assert/strict";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { stagedFile } from "../lib/chunks/journal.ts";
import { makeSplitting, mysqlDump, type Splitting, type Table } from "./helpers/splitting.ts";

/* A run that was cut off while it committed, and whose staged files are gone, such as where a backup left them out. */

const orders: Table = { name: "orders", rows: ["1", "2"] };
const users: Table = { name: "users", rows: ["7"] };
const before = mysqlDump([orders, users]);

interface Cut extends Splitting {
  /** What the cut-off run would have made, by the names of the files. */
  readonly after: ReadonlyMap<string, Buffer>;
  /** The names of the files that it was about to move. */
  readonly moves: readonly string[];
}

/** A set of `before`, and the journal of a run that was to make `then` of it. */
async function cutOff(t: TestContext, then: string): Promise<Cut> {
  const splitting = await makeSplitting(t);
  const { root, to, splitText } = splitting;
  await splitText(before);
  const kept = path.join(root, "kept");
  await cp(to, kept, { recursive: true });
  const { changed, added, removed } = await splitText(then);
  const moves = [...changed, ...added];
  const after = new Map<string, Buffer>();
  for (const name of await readdir(to))
    if (name.endsWith(".sql")) after.set(name, await readFile(path.join(to, name)));
  await rm(to, { recursive: true });
  await cp(kept, to, { recursive: true });
  const journal = {
    version: 1,
    moves: moves.map((name, at) => ({ staged: stagedFile(at), name })),
    removals: removed,
  };
  await writeFile(path.join(to, ".split/journal"), `${JSON.stringify(journal)}\n`);
  return { ...splitting, after, moves };
}

const changed = mysqlDump([{ ...orders, rows: ["1", "3"] }]);
const removed = mysqlDump([users]);
const grown = mysqlDump([orders, { name: "parts", rows: ["5"] }, users]);

for (const [what, then] of Object.entries({ changed, removed, grown }))
  test(`nothing was moved (${what}): the dump before stays whole, and the next one takes its place`, async (t) => {
    const { split, join, cat } = await cutOff(t, then);
    assert.equal((await join(["--table", "shop.orders"])).code, 5);
    const failed = await split([], { input: then.slice(0, -40) });
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /what it had staged is gone: the dump before it is whole\n/);
    assert.equal((await cat()).toString(), before);
    assert.equal((await join(["--verify"])).code, 0);
    const next = await split([], { input: then });
    assert.deepEqual([next.code, next.stderr], [0, ""]);
    assert.equal((await cat()).toString(), then);
    assert.equal((await join(["--verify"])).code, 0);
  });

test("some files were moved: nothing is removed, and no other dump is claimed until the next one is whole", async (t) => {
  const { to, split, join, cat, after, moves } = await cutOff(t, grown);
  const [first = ""] = moves;
  await writeFile(path.join(to, first), after.get(first) ?? "");
  const names = (await readdir(to)).toSorted();
  const failed = await split([], { input: grown.slice(0, -40) });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /is gone: the files are of no dump until this one is split\n/);
  assert.deepEqual((await readdir(to)).toSorted(), names);
  assert.equal((await join(["--verify"])).code, 5);
  assert.equal((await split([], { input: grown })).code, 0);
  assert.equal((await cat()).toString(), grown);
  assert.equal((await join(["--verify"])).code, 0);
});
