import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import * as fc from "fast-check";
import { MysqlScanner } from "../lib/dumps/mysql.ts";
import { joinChunks } from "../lib/jobs/join.ts";
import { splitDump, type SplitResult } from "../lib/jobs/split.ts";
import { streamInput } from "../lib/jobs/split/input.ts";
import { mysqlDump, someRows, traces, type Table } from "./helpers/splitting.ts";

/*
 * Any sequence of dumps: after each, the files are the dump, cut as if there had been none before, and no
 * file is written whose bytes were there under its name.
 */

const world = {
  signal: new AbortController().signal,
  now: () => new Date(),
  events: { warn: assert.fail, detail: () => {}, progress: () => {} },
};

async function split(directory: string, dump: string, lengths = [70_000]): Promise<SplitResult> {
  const bytes = Buffer.from(dump);
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const length = lengths[index % (lengths.length + 1)] ?? bytes.length;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return splitDump(
    new MysqlScanner(),
    async (take) => take(streamInput("test", Readable.from(pieces, { objectMode: false }))),
    { directory, chunkSize: 64 * 1024, dryRun: false, replace: true, command: "test" },
    world,
  );
}

async function contents(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith(".")).toSorted();
  return new Map(
    await Promise.all(
      names.map(
        async (name) => [name, await readFile(path.join(directory, name), "utf8")] as const,
      ),
    ),
  );
}

type Step = (tables: Table[], number: () => number) => void;

const steps: Readonly<Record<string, Step>> = {
  addTable: (tables, number) =>
    void tables.splice(number() % (tables.length + 1), 0, {
      name: `t${number()}`,
      rows: someRows(number() % 4000, number()),
    }),
  dropTable: (tables, number) => void tables.splice(number() % (tables.length + 1), 1),
  moveTable: (tables, number) => {
    const [moved] = tables.splice(number() % (tables.length + 1), 1);
    if (moved !== undefined) tables.splice(number() % (tables.length + 1), 0, moved);
  },
  changeRows: (tables, number) => {
    const table = tables[number() % Math.max(tables.length, 1)];
    if (table === undefined) return;
    const rows = [...table.rows];
    for (let change = number() % 4; change >= 0; change -= 1) {
      const fresh = number() % 3 === 0 ? [] : someRows(number() % 3 === 0 ? 500 : 1, number());
      rows.splice(number() % (rows.length + 1), number() % 3 === 0 ? 700 : number() % 2, ...fresh);
    }
    tables[tables.indexOf(table)] = { ...table, rows };
  },
  nothing: () => {},
};

test("any dumps one after another are what they are, and change as little as they can", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.infiniteStream(fc.nat(100_000))),
        {
          minLength: 1,
          maxLength: 7,
        },
      ),
      async (sequence) => {
        const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
        try {
          const [kept, once] = [path.join(root, "kept"), path.join(root, "once")];
          const tables: Table[] = [
            { name: "a", rows: someRows(3000) },
            { name: "b", rows: someRows(10) },
          ];
          let before = new Map<string, string>();
          for (const [name, numbers] of [["nothing", undefined] as const, ...sequence]) {
            steps[name]?.(tables, () => Number(numbers?.next().value));
            const dump = mysqlDump(tables);
            const result = await split(kept, dump);
            const after = await contents(kept);
            assert.equal([...after.values()].join(""), dump);
            for (const file of result.changed) assert.notEqual(after.get(file), before.get(file));
            for (const file of result.added) assert.ok(!before.has(file));
            const same = [...after].filter(([file, text]) => before.get(file) === text);
            assert.equal(result.unchanged, same.length);
            await rm(once, { recursive: true, force: true });
            await split(once, dump);
            assert.deepEqual([...(await contents(once)).values()], [...after.values()]);
            before = after;
          }
          const joined: string[] = [];
          await joinChunks({ directory: kept, command: "test" }, world, async (chunk) => {
            joined.push(chunk.toString());
          });
          assert.equal(joined.join(""), mysqlDump(tables));
          await split(kept, mysqlDump(tables));
          const quiet = await traces(kept);
          await split(kept, mysqlDump(tables));
          assert.deepEqual(await traces(kept), quiet);
        } finally {
          await rm(root, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 12 },
  );
});

test("a dump is cut alike however its bytes come: what is written before a chunk's end is known, too", async () => {
  const row = fc.oneof(
    fc.record({ text: fc.constant("1,'the same'"), times: fc.integer({ min: 1, max: 30_000 }) }),
    fc.record({
      text: fc
        .integer({ min: 1, max: 300_000 })
        .map((length) => `2,'${"long ".repeat(length / 5)}'`),
      times: fc.constant(1),
    }),
    fc.record({ text: fc.constant(undefined), times: fc.integer({ min: 1, max: 3000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(row, { maxLength: 5 }), { minLength: 1, maxLength: 3 }),
      fc.array(fc.integer({ min: 500, max: 200_000 }), { minLength: 1, maxLength: 5 }),
      async (tables, lengths) => {
        const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
        try {
          const dump = mysqlDump(
            tables.map((rows, at) => ({
              name: `t${at}`,
              rows: rows.flatMap(({ text, times }, part) =>
                text === undefined
                  ? someRows(times, part * 10_000)
                  : Array.from({ length: times }, () => text),
              ),
            })),
          );
          const [whole, pieces] = [path.join(root, "whole"), path.join(root, "pieces")];
          await split(whole, dump, []);
          await split(
            pieces,
            dump,
            Array.from({ length: 1000 }, (_, at) => lengths[at % lengths.length] ?? 1),
          );
          assert.deepEqual(await contents(pieces), await contents(whole));
          assert.deepEqual(await readdir(path.join(pieces, ".split/staged")), []);
          const joined: string[] = [];
          await joinChunks({ directory: pieces, command: "test" }, world, async (chunk) => {
            joined.push(chunk.toString());
          });
          assert.ok(joined.join("") === dump);
        } finally {
          await rm(root, { recursive: true, force: true });
        }
      },
    ),
    {
      numRuns: 8,
      // A chunk that ends before what was written of it already.
      examples: [
        [
          [
            [
              { text: "1,'the same'", times: 2400 },
              { text: `2,'${"long ".repeat(40_000)}'`, times: 1 },
            ],
          ],
          [5000],
        ],
      ],
    },
  );
});
