import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { FoundConfig } from "../lib/config/all.ts";
import { takeDocument } from "../lib/jobs/nightly/child.ts";
import { isHashDue } from "../lib/jobs/nightly/hashdue.ts";
import { Purse } from "../lib/jobs/nightly/purse.ts";
import { turnOf, type LastTry } from "../lib/jobs/nightly/sharers.ts";
import { demandOf, paces, runsPerDay } from "../lib/jobs/status/demand.ts";
import { nextTime } from "../lib/schedule/times.ts";
import { dayIn, divide, entitled, entitledInTurn, type Wanting } from "../lib/suite/budget.ts";
import type { Settings } from "../lib/suite/settings.ts";
import { readSpent, writeSpent } from "../lib/suite/spent.ts";

test("a budget is divided in equal shares, and what one leaves goes to the others", () => {
  assert.deepEqual(divide(90, [1000, 1000, 1000]), [30, 30, 30]);
  assert.deepEqual(divide(90, [10, 1000, 1000]), [10, 40, 40]);
  assert.deepEqual(divide(90, [1000, 10, 20]), [60, 10, 20]);
  assert.deepEqual(divide(1000, [10, 20]), [10, 20]);
  assert.deepEqual(divide(0, [10, 20]), [0, 0]);
  assert.deepEqual(divide(10, []), []);
  assert.deepEqual(divide(-5, [1]), [0]);
});

test("a division is fair, whole, and leaves nothing that somebody wants", () => {
  const amount = fc.nat({ max: 1_000_000_000_000 });
  fc.assert(
    fc.property(amount, fc.array(amount, { maxLength: 20 }), (total, demands) => {
      const shares = divide(total, demands);
      const sum = shares.reduce((all, share) => all + share, 0);
      assert.ok(shares.every(Number.isInteger));
      assert.ok(shares.every((share, at) => share >= 0 && share <= (demands[at] ?? 0)));
      assert.ok(sum <= total);
      const open = shares.filter((share, at) => share < (demands[at] ?? 0));
      // Less than a byte for each is all that rounding may lose.
      if (open.length > 0) assert.ok(total - sum < demands.length);
      // Nobody has more than one who wants more, but for rounding.
      const least = Math.min(...open, Infinity);
      assert.ok(shares.every((share) => share <= least + 1 || open.length === 0));
    }),
  );
});

test("days are those of the zone", () => {
  const night = new Date("2026-03-28T23:30:00Z");
  assert.equal(dayIn("UTC", night), "2026-03-28");
  assert.equal(dayIn("Europe/Berlin", night), "2026-03-29");
  assert.equal(dayIn("America/Los_Angeles", night), "2026-03-28");
});

test("what was spent is remembered for its day, and a damaged file is set aside and told", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-spent-"));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, "budget.json");
  const nothing = { day: "2026-01-31", bytes: 0, transactions: 0, backups: {} };
  assert.deepEqual(await readSpent(file, "2026-01-31"), { spent: nothing, damaged: undefined });
  const backups = {
    "/a": { day: "2026-01-31", bytes: 5, transactions: 2 },
    "/b": { bytes: 0, transactions: 0, hashTriedAt: "2026-01-30T00:00:00.000Z" },
  };
  const spent = { day: "2026-01-31", bytes: 5, transactions: 2, backups };
  await writeSpent(file, spent);
  assert.deepEqual((await readSpent(file, "2026-01-31")).spent, spent);
  assert.deepEqual((await readSpent(file, "2026-02-01")).spent, {
    ...nothing,
    day: "2026-02-01",
    backups,
  });
  await writeFile(file, (await readFile(file, "utf8")).slice(0, 20));
  const { damaged } = await readSpent(file, "2026-01-31");
  assert.equal(damaged, `${file}.damaged`);
  assert.deepEqual(await readdir(directory), ["budget.json.damaged"]);
});

const wanting = (
  demand: number,
  spent: number,
  turn: Wanting["turn"],
  lastDay = "2026-01-30",
): Wanting => ({ demand, spent, turn, lastDay });

test("who comes first gets no more of the day than its fair share, and who comes later what is left", () => {
  const [first, ...others] = [1000, 1000, 1000].map((demand) => wanting(demand, 0, "later"));
  const now = { ...(first ?? assert.fail()), turn: "now" as const };
  assert.deepEqual(entitled(90, 90, [now, ...others]), [30, 0, 0]);
  // It read 10 of its share; what it left goes to the others.
  assert.deepEqual(
    entitled(90, 80, [
      wanting(1000, 10, "done"),
      wanting(1000, 0, "now"),
      wanting(1000, 0, "later"),
    ]),
    [0, 40, 0],
  );
  // The last has all that is left; another run of the first gets nothing more.
  assert.deepEqual(
    entitled(90, 40, [
      wanting(1000, 10, "done"),
      wanting(1000, 40, "done"),
      wanting(1000, 0, "now"),
    ]),
    [0, 0, 40],
  );
  assert.deepEqual(entitled(90, 60, [wanting(1000, 30, "now"), ...others]), [0, 0, 0]);
  // Spent by one that is not configured any more.
  assert.deepEqual(entitled(90, 60, [now, ...others.slice(1)]), [30, 0]);
});

test("whatever the order in which backups come, none is left without its share, and no day is exceeded", () => {
  const amount = fc.nat({ max: 10_000 });
  fc.assert(
    fc.property(amount, fc.array(amount, { minLength: 1, maxLength: 8 }), (total, demands) => {
      let all = demands.map((demand) => wanting(demand, 0, "later"));
      const fair = divide(total, demands);
      let left = total;
      for (let at = 0; at < all.length; at += 1) {
        all = all.map((one, place) => (place === at ? { ...one, turn: "now" } : one));
        const given = entitled(total, left, all)[at] ?? 0;
        assert.ok(given >= (fair[at] ?? 0) - demands.length && given <= left);
        left -= given;
        all = all.map((one, place) =>
          place === at ? { ...one, spent: given, turn: "done" } : one,
        );
      }
      assert.ok(left >= 0);
    }),
  );
});

test("where there are too few requests for all, those that waited longest have them", () => {
  const five = ["03", "01", "", "04", "02"].map((day) =>
    wanting(100, 0, "now", day === "" ? "" : `2026-01-${day}`),
  );
  assert.deepEqual(entitledInTurn(100, 100, five, 2), [20, 20, 20, 20, 20]);
  assert.deepEqual(entitledInTurn(5, 5, five, 2), [0, 3, 2, 0, 0]);
  assert.deepEqual(entitledInTurn(1, 1, five, 2), [0, 0, 0, 0, 0]);
  // One that comes later today keeps its turn.
  const later = five.map((one, at) => ({ ...one, turn: at === 2 ? ("later" as const) : one.turn }));
  assert.deepEqual(entitledInTurn(2, 2, later, 2), [0, 0, 0, 0, 0]);
});

function scheduled(file: string, cron: string | undefined): FoundConfig {
  const loaded = { backup: { schedule: { cron, timeZone: "UTC" } } };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a turn depends on
  return { name: file, file, loaded } as FoundConfig;
}

test("whose share is kept: those that may still come today", () => {
  const days = new Map([["/served", "2026-01-31"]]);
  const purse = { day: "2026-01-31", lastDay: (file: string) => days.get(file) ?? "" };
  const ended = { "/good": "done", "/bad": "failed", "/busy": "skipped" } as const;
  const backups = new Map(Object.entries(ended).map(([file, outcome]) => [file, { outcome }]));
  const tries: Record<string, LastTry> = {
    "/night": { at: new Date("2026-01-30T03:00:00Z"), skipped: false },
    "/today": { at: new Date("2026-01-31T03:00:00Z"), skipped: false },
    "/asleep": { at: new Date("2026-01-31T03:00:00Z"), skipped: true },
    "/byHand": { at: new Date("2026-01-28T03:00:00Z"), skipped: false },
  };
  const lastTry = ({ file }: FoundConfig): LastTry | undefined => tries[file];
  const turns = {
    ...{ backups, due: true, lastTry, nextTime, verifyDay: "UTC" },
    now: new Date("2026-01-31T12:00:00Z"),
  };
  const turn = (file: string, cron?: string, due = true): string =>
    turnOf(scheduled(file, cron), purse, { ...turns, due });
  const daily = "0 20 * * *";
  assert.deepEqual(
    ["/good", "/bad", "/busy", "/served", "/waits"].map((file) => turn(file, daily)),
    ["now", "done", "later", "done", "later"],
  );
  assert.equal(turn("/early", "0 2 * * *"), "done");
  assert.deepEqual([turn("/none"), turn("/none", undefined, false)], ["done", "later"]);
  // Without a schedule, what ran last night comes tonight.
  assert.deepEqual(
    ["/night", "/today", "/asleep", "/byHand"].map((file) => turn(file)),
    ["later", "done", "later", "done"],
  );
});

test("a purse remembers each backup's day, and of one that was killed its whole share", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-purse-"));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(path.join(directory, "suite"));
  const open = async (time: string): Promise<Purse> =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a purse needs of them
    Purse.open({ verifyBudget: 100, verifyDay: "UTC" } as Settings, directory, {
      now: () => new Date(time),
      events: { warn: assert.fail, detail: assert.fail, progress: () => assert.fail() },
    });
  const first = await open("2026-01-31T01:00:00Z");
  await first.reserve("/a", { bytes: 40, transactions: 0 });
  await first.settle("/a", { bytes: 40, transactions: 0 }, { bytes: 15, transactions: 4 });
  await first.reserve("/b", { bytes: 50, transactions: 0 });
  await first.tryHash("/b", "2026-01-31T01:00:00.000Z");
  const same = await open("2026-01-31T20:00:00Z");
  assert.deepEqual([same.spent, same.spentOn("/a").bytes, same.spentOn("/b").bytes], [65, 15, 50]);
  const next = await open("2026-02-01T01:00:00Z");
  assert.deepEqual([next.spent, next.spentOn("/a").bytes], [0, 0]);
  assert.deepEqual([next.lastDay("/a"), next.lastDay("/c")], ["2026-01-31", ""]);
  assert.equal(next.hashTriedAt("/b"), "2026-01-31T01:00:00.000Z");
  next.retain(["/a"]);
  assert.deepEqual([next.lastDay("/a"), next.lastDay("/b")], ["2026-01-31", ""]);
  const back = await open("2026-01-30T01:00:00Z");
  assert.equal(back.lastDay("/a"), "", "a day to come is not believed");
});

function config(budget?: number): FoundConfig {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a demand depends on
  return { loaded: { backup: { verify: { budget } } } } as FoundConfig;
}

test("what a backup may read in a day, by what it holds, its own budget and what the others want", () => {
  const held = { files: 10, bytes: 1000 };
  assert.deepEqual(demandOf(config(), held), { bytes: 1000, transactions: 20 });
  assert.deepEqual(demandOf(config(300), held), { bytes: 300, transactions: 20 });
  assert.deepEqual(demandOf(config(0), held), { bytes: 0, transactions: 0 });
  assert.equal(demandOf(config(), { files: 3, bytes: 0 }).bytes, 1, "empty files are read too");
  assert.equal(demandOf(config(), undefined).bytes, 0);
  const demands = [
    { bytes: 1000, transactions: 20 },
    { bytes: 10, transactions: 2000 },
  ];
  assert.deepEqual(paces({ bytes: 500, transactions: Infinity }, demands), [
    { bytes: 490, files: Infinity },
    { bytes: 10, files: Infinity },
  ]);
  assert.deepEqual(
    paces({ bytes: 500, transactions: 100 }, demands).map(({ files }) => files),
    [10, 40],
  );
  assert.deepEqual(
    paces({ bytes: 500, transactions: 2 }, demands).map(({ files }) => files),
    [0.5, 0.5],
  );
});

test("a weekly backup is read back once a week", () => {
  const now = new Date("2026-01-31T12:00:00Z");
  const per = (cron: string): number =>
    runsPerDay((after) => nextTime({ cron, timeZone: "Europe/Berlin" }, after), now);
  assert.equal(runsPerDay(undefined, now), 1);
  assert.equal(per("0 2 * * *"), 1);
  assert.equal(per("*/15 * * * *"), 1);
  assert.equal(Math.round(7 * per("0 2 * * 0")), 1);
  assert.equal(Math.round(7 * per("0 2 * * 1-5")), 5);
  assert.ok(per("0 2 1 * *") < 1 / 28);
});

test("a document longer than a line may be is read whole; one that is too long is none", async () => {
  const long = { text: "é".repeat(3_000_000) };
  const bytes = Buffer.from(JSON.stringify(long));
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 65_535) yield bytes.subarray(at, at + 65_535);
  };
  assert.deepEqual(await takeDocument(stream()), long);
  assert.equal(await takeDocument(stream(), 1_000_000), undefined);
});

function on(day: number): Date {
  return new Date(Date.UTC(2026, 0, day, 2));
}

test("checksums that could not all be compared are tried again after a week, not every night", () => {
  const month = 30 * 86_400;
  const isDue = (doneAt: number | undefined, tried: number | undefined, now: number): boolean =>
    isHashDue(
      month,
      {
        doneAt: doneAt === undefined ? undefined : on(doneAt),
        triedAt: tried === undefined ? undefined : on(tried).toISOString(),
      },
      on(now),
    );
  assert.equal(isDue(undefined, undefined, 1), true);
  assert.deepEqual(
    [2, 7, 8].map((now) => isDue(undefined, 1, now)),
    [false, false, true],
  );
  assert.deepEqual(
    [30, 31].map((now) => isDue(1, 1, now)),
    [false, true],
  );
  assert.deepEqual(
    [33, 38, 39].map((now) => isDue(1, 32, now)),
    [false, false, true],
  );
  // What was written by a clock far ahead is not believed.
  assert.equal(isDue(400, 400, 40), true);
});
