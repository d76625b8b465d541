import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { nightOf, stateFile, stateJson, verifiedOn } from "./helpers/nightly.ts";
import { writeRawFiles } from "./helpers/rawfiles.ts";
import { oldRclone, rclones } from "./helpers/rclones.ts";
import { bytes, makeBacked, writeOld } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

const count = v.object({ files: v.number(), bytes: v.number() });
const document = v.object({
  kind: v.literal("verify"),
  exit_code: v.number(),
  dry_run: v.boolean(),
  seed: v.null(),
  pool: count,
  chosen: count,
  verified: count,
  differences: v.array(v.object({ path: v.string(), problem: v.string() })),
  spent: v.object({ ...count.entries, transactions: v.number() }),
  parts: v.array(
    v.object({ path: v.string(), offset: v.number(), bytes: v.number(), size: v.number() }),
  ),
  coverage: v.nullable(v.object({ total: count, never: count, uncoverable: count })),
});

async function next(
  backed: Backed,
  ...args: readonly string[]
): Promise<v.InferOutput<typeof document>> {
  const { code, stdout, stderr } = await backed.backup([...args, "--json", "b"]);
  const doc = v.parse(document, JSON.parse(stdout), { message: stderr });
  assert.equal(doc.exit_code, code);
  return doc;
}

const files = { a: bytes(1000, 1), "sub/b": bytes(700, 2), c: bytes(400, 3), empty: "" };

test("what was never verified comes first, within the budget, until all was", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const shown = await next(backed, "-n", "--verify-next", "1500");
  assert.deepEqual(
    [shown.chosen, shown.verified, shown.spent.bytes, shown.coverage],
    [{ files: 2, bytes: 1500 }, { files: 0, bytes: 0 }, 0, null],
  );
  assert.ok(!existsSync(stateFile(backed, "ledger")), "a dry run writes nothing");

  const first = await next(backed, "--verify-next", "1500");
  assert.deepEqual(first.verified, { files: 1, bytes: 1500 });
  assert.deepEqual(first.spent, { files: 2, bytes: 1500, transactions: 4 });
  assert.deepEqual(first.parts, [{ path: "sub/b", offset: 0, bytes: 500, size: 700 }]);
  assert.deepEqual(first.coverage?.never, { files: 3, bytes: 1100 });

  const second = await next(backed, "--verify-next", "1500");
  assert.deepEqual(second.verified, { files: 3, bytes: 600 });
  assert.deepEqual(second.parts, [{ path: "sub/b", offset: 500, bytes: 200, size: 700 }]);
  assert.deepEqual(second.coverage?.never, { files: 0, bytes: 0 });

  const third = await next(backed, "--verify-next", "1500");
  assert.deepEqual(third.chosen, { files: 0, bytes: 0 }, "once a day is enough");
  const { stdout } = await backed.backup(["--verify-next", "1500", "b"]);
  assert.match(
    stdout,
    /^verified nothing: of 4 files \(2.05 KiB\) none is next within this budget$/m,
  );
});

test("longest ago comes first over many nights, and every byte within as many as the budget needs", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const days = Array.from({ length: 5 }, (_, at) => `2030-01-0${at + 1}`);
  const read: string[] = [];
  for (const day of days) {
    const { result } = await nightOf(backed, day, 1000);
    assert.equal(result.outcome, "done");
    read.push(`${result.verified.files} ${result.verified.bytes}`);
  }
  assert.deepEqual(read, ["1 1000", "1 1000", "2 1000", "2 1000", "1 1000"]);
});

test("what conditions chose is in the ledger too, and what changed since is not", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const { result } = await verifiedOn(backed, "2030-01-01", "all");
  assert.equal(result.next, undefined);
  assert.deepEqual(stateJson(backed, "coverage.json"), {
    ...{ version: 1, at: "2030-01-01T03:00:00.000Z" },
    ...{ total: { files: 4, bytes: 2100 }, never: { files: 0, bytes: 0 } },
    ...{ begun: { files: 0, bytes: 0 }, uncoverable: { files: 0, bytes: 0 } },
    days: [{ day: "2030-01-01", files: 4, bytes: 2100 }],
    complete: { content: "2030-01-01T03:00:00.000Z" },
  });
  await writeOld(path.join(backed.source, "c"), bytes(400, 9), new Date("2030-01-01T01:00:00Z"));
  await writeOld(path.join(backed.source, "new"), "new");
  await rm(path.join(backed.source, "a"));
  await backed.backUp();
  const night = await nightOf(backed, "2030-01-02", 403);
  assert.deepEqual(night.result.verified, { files: 2, bytes: 403 });
  assert.deepEqual(night.result.next?.coverage?.days, [
    { day: "2030-01-01", files: 2, bytes: 700 },
    { day: "2030-01-02", files: 2, bytes: 403 },
  ]);
});

test("checksums are no reading back: only their day is kept", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await verifiedOn(backed, "2030-01-01", "files=2", "hash");
  assert.ok(!existsSync(stateFile(backed, "coverage.json")), "some checksums are not all");
  await verifiedOn(backed, "2030-01-02", "hash");
  const { result } = await nightOf(backed, "2030-01-03", 1000);
  assert.deepEqual(result.next?.coverage?.hash, { at: "2030-01-02T03:00:00.000Z" });
  assert.equal(result.next?.coverage?.complete?.hash, "2030-01-02T03:00:00.000Z");
  assert.equal(result.next?.coverage?.never.files, 3);
});

for (const rclone of rclones)
  test(`a file larger than the budget is read in parts, and damage in one is found (${rclone.version} rclone)`, async (t) => {
    const name = "sub/l[a]rge; fïle ";
    const backed = await makeBacked(t, {
      rclone,
      files: { [name]: bytes(300_000, 1), small: "s" },
    });
    const first = await nightOf(backed, "2030-01-01", 100_000);
    assert.deepEqual(first.result.verified, { files: 1, bytes: 100_000 });
    await nightOf(backed, "2030-01-02", 100_000);
    await backed.rot(name);
    const last = await nightOf(backed, "2030-01-03", 150_000);
    assert.equal(last.result.outcome, "done", "what is damaged now was read before");
    const { days, never } = last.result.next?.coverage ?? assert.fail();
    assert.deepEqual(
      days,
      [
        { day: "2030-01-01", files: 1, bytes: 300_000 },
        { day: "2030-01-03", files: 1, bytes: 1 },
      ],
      "its oldest part counts",
    );
    assert.equal(never.files, 0);

    await nightOf(backed, "2030-01-04", 120_000);
    const found = await nightOf(backed, "2030-01-05", 120_000);
    assert.equal(found.result.outcome, "difference");
    assert.deepEqual(
      found.result.differences.map(({ kind }) => kind),
      ["damaged"],
    );
    assert.ok(found.result.verified.bytes < 2, "nothing of it was proved");
    const cost = found.result.next?.spent.bytes ?? 0;
    assert.ok(cost >= 120_000 && cost <= 240_000, "the second look costs what it read");
    assert.equal(found.result.next?.coverage?.never.files, 1);
    await backed.backUp();
    const after = await nightOf(backed, "2030-01-06", 0);
    assert.equal(after.result.next?.coverage?.never.files, 0, "mended and read back");
  });

test("a large file that changes before all of it was read begins anew, and is told", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { large: bytes(3000, 1) } });
  await nightOf(backed, "2030-01-01", 2000);
  await writeOld(path.join(backed.source, "large"), bytes(3000, 2), new Date("2029-12-31"));
  const between = await nightOf(backed, "2030-01-02", 999);
  assert.deepEqual(
    [between.result.outcome, between.result.changed],
    ["done", ["large"]],
    "a file that changed under the run is no mismatch",
  );
  await backed.backUp();
  const again = await nightOf(backed, "2030-01-02", 2000);
  assert.deepEqual(again.result.next?.ranges, [
    { path: "large", offset: 0, bytes: 2000, size: 3000 },
  ]);
  const none = { files: 0, bytes: 0 };
  assert.deepEqual(again.result.next?.coverage?.uncoverable, none, "once is no habit");
  const { result } = await nightOf(backed, "2030-01-03", 2000);
  assert.deepEqual(result.next?.coverage?.days, [{ day: "2030-01-02", files: 1, bytes: 3000 }]);
});

test("a file that changes three times before all of it was read is told until it was", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { large: bytes(3000, 1) } });
  await nightOf(backed, "2030-01-01", 2000);
  const told: (number | undefined)[] = [];
  for (const day of [2, 3, 4]) {
    await writeOld(
      path.join(backed.source, "large"),
      bytes(3000, day),
      new Date(`2029-12-0${day}`),
    );
    await backed.backUp();
    const { result } = await nightOf(backed, `2030-01-0${day}`, 2000);
    told.push(result.next?.coverage?.uncoverable.files);
  }
  assert.deepEqual(told, [0, 0, 1]);
  const { result } = await nightOf(backed, "2030-01-05", 2000);
  assert.equal(result.next?.coverage?.uncoverable.files, 0);
});

test("what a range finds missing, shorter or longer at the destination is a difference", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: { large: bytes(300_000, 1) } });
  const stored = backed.stored("large");
  const whole = await readFile(stored);
  const problem = async (): Promise<string | undefined> => {
    const { result } = await nightOf(backed, "2030-01-01", 200_000);
    return result.differences[0]?.kind;
  };
  // Cut between two blocks: what is left decrypts without an error.
  await writeOld(stored, whole.subarray(0, 32 + 2 * 65_552));
  assert.equal(await problem(), "differs");
  await rm(stored);
  assert.equal(await problem(), "missing");
  await writeOld(stored, Buffer.alloc(whole.length));
  assert.equal(await problem(), "damaged");
  await writeOld(stored, whole);
  assert.equal(await problem(), undefined);

  const destination = "plain:data";
  const more = await makeBacked(t, { rclone: oldRclone, files: { large: "large" }, destination });
  await writeOld(path.join(more.store, "plain/data/large"), "larger");
  assert.equal((await nightOf(more, "2030-01-01", 4)).result.outcome, "done");
  const { result } = await nightOf(more, "2030-01-02", 4);
  assert.deepEqual(
    result.differences.map(({ kind }) => kind),
    ["differs"],
  );
});

test("names of any bytes are read back whole and in parts", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files: {}, backUp: false });
  const names = ["new\nline", " space ", "#hash", "#end {", "not utf-8 \xff", "*[a]{b}?", "0"];
  for (const [at, name] of names.entries())
    await writeRawFiles(backed.source, [name], bytes(2000 + at, at));
  await backed.backUp();
  for (let night = 1; night <= 3; night += 1) {
    const { result } = await nightOf(backed, `2030-01-0${night}`, 5000);
    assert.deepEqual([result.outcome, result.differences, result.errors], ["done", [], []]);
  }
  const { never, total } = v.parse(
    v.object({ never: count, total: count }),
    stateJson(backed, "coverage.json"),
  );
  assert.deepEqual([never.files, total.files], [0, names.length]);
});

test("without a manifest that can be trusted the source is listed", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await rm(stateFile(backed, "manifest.gz"));
  assert.equal((await nightOf(backed, "2030-01-01", 2000)).result.pool.files, 4);
  await backed.backUp();
  const damaged = await readFile(stateFile(backed, "manifest.gz"));
  await writeFile(stateFile(backed, "manifest.gz"), damaged.subarray(0, -20));
  const { result } = await nightOf(backed, "2030-01-02", 2000);
  assert.deepEqual([result.outcome, result.next?.coverage?.never.files], ["done", 0]);
});

test("the ledger outlives a new name of the configuration and new settings", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await verifiedOn(backed, "2026-01-01", "all");
  const [from, to] = ["b", "other"].map((name) => path.join(backed.config, `${name}.conf`));
  assert.ok(from !== undefined && to !== undefined);
  const text = await readFile(from, "utf8");
  await rename(from, to);
  await writeFile(to, `${text}[filters]\n- /none/**\n`);
  const { code, stdout } = await backed.backup(["--verify-next", "0", "--json", "other"]);
  assert.equal(code, 0);
  const { coverage } = v.parse(document, JSON.parse(stdout));
  assert.deepEqual(coverage?.never, { files: 0, bytes: 0 });
});

test("what was lost at the destination and stored again was never read back", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await nightOf(backed, "2030-01-01", 5000);
  await rm(backed.stored("sub/b"));
  await rm(stateFile(backed, "manifest.gz"));
  await backed.backUp();
  const { result } = await nightOf(backed, "2030-01-02", 0);
  assert.deepEqual(result.next?.coverage?.never, { files: 1, bytes: 700 });
});

test("--verify-next stands alone, --max-transactions with it", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const few = await next(backed, "--verify-next", "1M", "--max-transactions", "5");
  assert.deepEqual([few.spent.files, few.spent.transactions], [2, 4]);
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["--verify-next", "1M", "--verify", "all"], /expected one of --verify, --verify-next/],
    [["--max-transactions", "5"], /expected --max-transactions with --verify-next/],
    [["--verify-next", "1M", "--seed", "5"], /expected --seed with --verify/],
    [["--verify-next", "10GB"], /expected a size such as 10G, found "10GB"/],
    [["--verify-next", "1M", "--max-transactions", "-5"], /Expected a whole number/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await backed.backup([...args, "b"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});
