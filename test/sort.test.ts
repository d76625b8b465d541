import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { sortFile, sortLines } from "../lib/process/sort.ts";
import { LineSpool } from "../lib/process/spool.ts";

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-sort-"));
  t.after(async () => rm(directory, { recursive: true }));
  return directory;
}

/** What sort(1) makes of it. */
function sorted(bytes: Buffer, from?: number): Buffer {
  const key = from === undefined ? [] : ["-t", "\t", "-k", `1.${from + 1}`];
  return execFileSync("sort", key, {
    input: bytes,
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 1e9,
  });
}

async function* pieces(all: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += 100_000) yield all.subarray(at, at + 100_000);
}

async function* broken(length: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(length, "line\n");
  throw new Error("broken on the way");
}

const bytes = fc
  .array(fc.constantFrom(10, 10, 0, 1, 9, 13, 32, 47, 97, 98, 127, 128, 255), { maxLength: 60 })
  .map((all) => Buffer.from(all));

test("few lines are sorted as sort(1) does, whatever bytes are in them", async (t) => {
  const directory = await scratch(t);
  const [input, output] = ["input", "output"].map((name) => path.join(directory, name));
  assert.ok(input !== undefined && output !== undefined);
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom(undefined, 1, 3, 23), async (lines, from) => {
      await writeFile(input, lines);
      await sortFile(input, output, directory, { from });
      assert.deepEqual(await readFile(output), sorted(lines, from));
    }),
    { numRuns: 60 },
  );
});

test("many lines go to sort(1), a last one without an end too", async (t) => {
  const directory = await scratch(t);
  const output = path.join(directory, "output");
  const text = Array.from(
    { length: 150_000 },
    (_, at) => `${(at * 7919) % 150_000} ${"x".repeat(40)}`,
  );
  const all = Buffer.from(text.join("\n"));
  await sortLines(pieces(all), output, directory, {});
  assert.deepEqual(await readFile(output), sorted(all));
});

test("what goes wrong on the way is thrown, and a full disk is told", async (t) => {
  const directory = await scratch(t);
  for (const length of [10, 5_000_000])
    await assert.rejects(
      sortLines(broken(length), path.join(directory, "output"), directory, {}),
      /broken on the way/,
    );
  await assert.rejects(
    sortLines(pieces(Buffer.from("line\n")), "/dev/full", directory, {}),
    /the disk is full/,
  );
});

test("a spool drops what was written behind a place", async (t) => {
  const file = path.join(await scratch(t), "spool");
  const spool = new LineSpool(file);
  spool.write("kept");
  const kept = spool.length;
  for (let at = 0; at < 20_000; at += 1) spool.write(`dropped ${at}`);
  spool.cut(kept);
  spool.writeBytes(Buffer.from("after"), 0, 5);
  spool.write("last");
  assert.equal(spool.length, "kept\nafter\nlast\n".length);
  spool.close();
  assert.equal(await readFile(file, "utf8"), "kept\nafter\nlast\n");
});
