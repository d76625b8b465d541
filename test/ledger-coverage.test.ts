import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import {
  allVerifiedBy,
  oldestProof,
  readCoverage,
  takeCoverage,
  verifiedWithin,
  writeCoverage,
  type Coverage,
} from "../lib/verify/coverage.ts";
import { dayOf, dayText } from "../lib/verify/days.ts";
import { sumUp } from "../lib/verify/sums.ts";

const now = new Date("2026-03-31T02:00:00Z");
const none = { files: 0, bytes: 0 };

function coverage(more: Partial<Coverage> = {}): Coverage {
  return {
    version: 1,
    at: "2026-03-31T01:00:00.000Z",
    total: { files: 10, bytes: 1000 },
    never: none,
    days: [
      { day: "2026-01-01", files: 1, bytes: 100 },
      { day: "2026-03-01", files: 2, bytes: 300 },
      { day: "2026-03-30", files: 3, bytes: 500 },
      { day: "2026-03-31", files: 4, bytes: 100 },
    ],
    uncoverable: none,
    ...more,
  };
}

test("the share that was read back within so many days", () => {
  const within = (days: number): unknown => verifiedWithin(coverage(), days, now);
  assert.deepEqual(within(0), { files: 0.4, bytes: 0.1 });
  assert.deepEqual(within(1), { files: 0.7, bytes: 0.6 });
  assert.deepEqual(within(29), { files: 0.7, bytes: 0.6 });
  assert.deepEqual(within(30), { files: 0.9, bytes: 0.9 });
  assert.deepEqual(within(90), { files: 1, bytes: 1 });
  const nothing = coverage({ total: none, days: [] });
  assert.deepEqual(verifiedWithin(nothing, 1, now), { files: 1, bytes: 1 });
  // A clock that went back proves nothing.
  assert.deepEqual(verifiedWithin(coverage(), 1, new Date("2026-03-01")), {
    files: 0.2,
    bytes: 0.3,
  });
});

test("the day by which all will have been read back", () => {
  const never = { files: 2, bytes: 1000 };
  assert.deepEqual(allVerifiedBy(coverage(), 0, now), { since: "2026-01-01" });
  assert.deepEqual(allVerifiedBy(coverage({ never }), 500, now), { date: "2026-04-02" });
  assert.deepEqual(allVerifiedBy(coverage({ never }), 999, now), { date: "2026-04-02" });
  const begun = { files: 1, bytes: 600 };
  assert.deepEqual(allVerifiedBy(coverage({ never, begun }), 500, now), { date: "2026-04-01" });
  assert.deepEqual(allVerifiedBy(coverage({ never: { files: 3, bytes: 0 } }), 1, now), {
    date: "2026-04-01",
  });
  assert.deepEqual(allVerifiedBy(coverage({ never }), 0, now), { never: "the budget is 0" });
  assert.match(JSON.stringify(allVerifiedBy(coverage({ never }), 0.001, now)), /century/);
  // Once a week half of a thousand bytes; files count where requests do.
  assert.deepEqual(allVerifiedBy(coverage({ never }), 500 / 7, now), { date: "2026-04-14" });
  const many = { files: 100, bytes: 1000 };
  assert.deepEqual(allVerifiedBy(coverage({ never: many }), 1000, now, 10), { date: "2026-04-10" });
  assert.deepEqual(allVerifiedBy(coverage({ never: many }), 1000, now, 0.5), {
    date: "2026-10-17",
  });
  const uncoverable = { files: 1, bytes: 900 };
  assert.deepEqual(Object.keys(allVerifiedBy(coverage({ never, uncoverable }), 500, now)), [
    "never",
  ]);
});

test("the oldest proof is told though some was never read back", () => {
  const never = { files: 2, bytes: 1000 };
  assert.equal(oldestProof(coverage({ never })), "2026-01-01");
  assert.equal(oldestProof(coverage({ never, days: [] })), undefined);
});

test("a ledger is summed up by days", () => {
  const today = dayOf(now);
  const sums = sumUp(
    {
      count: 7,
      sizes: Float64Array.of(1, 2, 4, 8, 16, -1, 64),
      days: Uint16Array.of(today, 0, today - 1, today, today + 9, 0, 0),
      begun: new Map([[6, 60]]),
      restarted: new Set([1]),
    },
    today,
  );
  assert.deepEqual(sums, {
    total: { files: 7, bytes: 95 },
    never: { files: 3, bytes: 66 },
    begun: { files: 1, bytes: 60 },
    days: [
      { day: "1970-01-02", files: 1, bytes: 16 },
      { day: dayText(today - 1), files: 1, bytes: 4 },
      { day: dayText(today), files: 2, bytes: 9 },
    ],
    uncoverable: { files: 2, bytes: 2 },
  });
});

test("coverage.json is read as it was written; a damaged one is set aside by its writer alone", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-coverage-"));
  t.after(async () => rm(directory, { recursive: true }));
  const file = path.join(directory, "coverage.json");
  assert.equal(await readCoverage(file), undefined);
  const full = coverage({ hash: { at: "2026-03-30T01:00:00.000Z" }, begun: none });
  await writeCoverage(file, full);
  assert.deepEqual(await readCoverage(file), full);
  await writeFile(file, '{"version":1,"at":"never"}');
  assert.equal(await readCoverage(file), undefined);
  assert.deepEqual(await readdir(directory), ["coverage.json"]);
  assert.deepEqual(await takeCoverage(file), { value: undefined, damaged: `${file}.damaged` });
  assert.deepEqual(await readdir(directory), ["coverage.json.damaged"]);
});
