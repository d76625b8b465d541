// Which physical backup is made next, which ones go, and which ones bring back a time: decided without any files.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Failure } from "../lib/errors.ts";
import { chainsOf, restorable } from "../lib/physical/chains.ts";
import { chooseSteps } from "../lib/physical/choose.ts";
import { checkClock } from "../lib/physical/clock.ts";
import type { Backup } from "../lib/physical/look.ts";
import { backupName, isBackupName } from "../lib/physical/names.ts";
import { isTested, parseTestRule } from "../lib/physical/testrule.ts";
import { day, nightOf, nights, start } from "./helpers/rotation.ts";

const usual = { incrementals: 45, fulls: 2 };

const outcome = (expected: string, pattern: RegExp) => (error: unknown) =>
  error instanceof Failure &&
  error.outcome === expected &&
  pattern.test(`${error.message} ${error.hint ?? ""}`);

test("after 140 days, 47 to 92 days can be brought back, on every day since there were so many", () => {
  let backups: readonly Backup[] = [];
  for (let night = 0; night < 140; night += 1) {
    const at = start + night * day;
    const { plan, after } = nightOf(backups, at, usual);
    assert.equal(plan.make.kind, night % 46 === 0 ? "full" : "incremental", `night ${night}`);
    backups = after;
    const chains = chainsOf(backups);
    const days = chains.flatMap((chain) => restorable(chain)).length;
    if (night >= 92) assert.ok(days >= 47 && days <= 92, `night ${night}: ${days} days`);
    else assert.equal(days, night + 1);
    assert.ok(chains.length <= 2 && chains.every(({ problems }) => problems.length === 0));
    // They are the last ones, without a gap.
    assert.equal(Date.parse(backups[0]?.started_at ?? ""), at - (days - 1) * day);
  }
  assert.equal(backups.length, 48);
});

test("the rules may be as small as can be: each backup full, one kept", () => {
  const kept = nights(5, { incrementals: 0, fulls: 1 });
  assert.deepEqual(
    kept.map(({ name }) => name),
    ["20260105T030000Z-full"],
  );
  assert.equal(nights(7, { incrementals: 1, fulls: 3 }).length, 5);
});

test("a full backup is made where it has to be, and the reason is told", () => {
  const backups = nights(3, usual);
  const made = (found: readonly Backup[], wishes: Parameters<typeof nightOf>[3] = {}): string => {
    const { make } = nightOf(found, start + 3 * day, usual, wishes).plan;
    return `${make.kind}: ${make.reason}`;
  };
  assert.equal(made(backups), "incremental: number 3 of 45 on 20260101T030000Z-full");
  assert.equal(made([]), "full: there is no backup yet");
  assert.equal(made(backups, { full: "it was asked for" }), "full: it was asked for");
  assert.match(
    made(backups, { program: "11.4.2" }),
    /^full: .* version 10\.11\.6, this is 11\.4\.2/,
  );
  assert.match(made(backups, { program: "10.11.19" }), /^incremental/);
  assert.match(
    made(backups.slice(0, 1).concat(backups.slice(2))),
    /^full: .*gone: 20260102T030000Z-incremental/,
  );
  assert.match(made(backups.slice(1)), /^full: .*gone: 20260101T030000Z-full/);
  const changed = (change: Partial<Backup>): readonly Backup[] =>
    backups.map((backup, at) => (at === 1 ? { ...backup, ...change } : backup));
  assert.match(made(changed({ damage: "its file a is gone" })), /^full: .*its file a is gone/);
  assert.match(
    made(changed({ broken: { at: "2026-01-03T00:00:00Z", reason: "x y" } })),
    /^full: .*x y/,
  );
  assert.match(made(changed({ to_lsn: "5" })), /^full: .*begins at LSN 2000.*ends at 5/);
});

/** What may happen to backups between two nights. */
interface Event {
  readonly hours: number;
  readonly kind: "none" | "fails" | "damage" | "lost" | "full" | "back";
  readonly pick: number;
}

const events = fc.array(
  fc.record<Event>({
    hours: fc.integer({ min: 1, max: 60 }),
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constant("none" as const) },
      fc.constantFrom(
        "fails" as const,
        "damage" as const,
        "lost" as const,
        "full" as const,
        "back" as const,
      ),
    ),
    pick: fc.nat(1000),
  }),
  { maxLength: 60 },
);

/** The backups as something happened to them. */
function harmed(backups: readonly Backup[], { kind, pick }: Event): readonly Backup[] {
  const at = pick % Math.max(backups.length, 1);
  if (kind === "lost") return backups.filter((_, index) => index !== at);
  if (kind !== "damage") return backups;
  return backups.map((each, index) =>
    index === at ? { ...each, damage: "a file is gone" } : each,
  );
}

test("only whole chains go, never so that fewer than `fulls` whole ones stay, and none where the new backup fails", () => {
  fc.assert(
    fc.property(
      fc.record({
        incrementals: fc.integer({ min: 0, max: 6 }),
        fulls: fc.integer({ min: 1, max: 4 }),
      }),
      events,
      (rules, story) => {
        let backups: readonly Backup[] = [];
        let at = start;
        for (const event of story) {
          // A clock that was set back changes no order.
          at += (event.kind === "back" ? -1 : 1) * event.hours * 3_600_000;
          const before = harmed(backups, event);
          const full = event.kind === "full" ? "asked" : undefined;
          const wishes = { ...(full === undefined ? {} : { full }), fails: event.kind === "fails" };
          const { plan, after } = nightOf(before, at, rules, wishes);
          const old = chainsOf(before);
          const now = chainsOf(after);
          const whole = now.filter(({ problems }) => problems.length === 0).length;
          if (event.kind === "fails") assert.equal(after, before);
          else assert.deepEqual(after.at(-1)?.number, (before.at(-1)?.number ?? 0) + 1);
          // Whole chains, the oldest ones.
          const gone = plan.remove.map(({ chain }) => chain.name);
          assert.deepEqual(
            gone,
            old.slice(0, gone.length).map(({ name }) => name),
          );
          if (event.kind !== "fails" && gone.length > 0) {
            assert.ok(whole >= rules.fulls, `${whole} whole chains of ${rules.fulls} are left`);
            for (const { backups: members } of old.slice(gone.length))
              for (const each of members) assert.ok(after.includes(each));
          }
          // No more stay than must: where a chain could go, it goes.
          if (event.kind !== "fails" && whole > rules.fulls)
            assert.fail(`${whole} whole chains stay`);
          for (const { backups: members, problems } of now)
            assert.ok(problems.length > 0 || members.length <= rules.incrementals + 1);
          backups = after;
        }
      },
    ),
  );
});

test("names tell the time in UTC and the kind, and no two are of the same second", () => {
  const at = new Date("2026-11-21T04:00:00.900+01:00");
  assert.equal(backupName("full", at, []), "20261121T030000Z-full");
  const taken = ["20261121T030000Z-incremental", "20261121T030001Z-full", "x"];
  assert.equal(backupName("full", at, taken), "20261121T030002Z-full");
  assert.ok(isBackupName("20261121T030000Z-incremental"));
  for (const name of [
    "20261121T030000Z",
    "20261121T030000Z-full2",
    ".20261121T030000Z-full",
    "full",
  ])
    assert.ok(!isBackupName(name), name);
});

test("a clock before the newest backup or long after it is refused", () => {
  const newest = nights(3, usual).at(-1);
  const last = start + 2 * day;
  checkClock(new Date(last + 30 * day), newest);
  checkClock(new Date(0), undefined);
  assert.throws(() => checkClock(new Date(last - 1), newest), outcome("refused", /allow-clock/));
  assert.throws(() => checkClock(new Date(last + 31 * day), newest), outcome("refused", /30 days/));
});

test("a time is brought back by the newest backup that was finished by then", () => {
  const backups = nights(50, usual).map((backup) => ({
    ...backup,
    finished_at: new Date(Date.parse(backup.started_at) + 1_800_000).toISOString(),
  }));
  const chains = chainsOf(backups);
  const names = (at: string): string[] =>
    chooseSteps(chains, at, new Date(start + 60 * day)).map(({ name }) => name);
  assert.deepEqual(names("2026-01-02T12:00:00Z"), [
    "20260101T030000Z-full",
    "20260102T030000Z-incremental",
  ]);
  // It was not finished then.
  assert.deepEqual(names("2026-01-02T03:29:59Z"), ["20260101T030000Z-full"]);
  assert.equal(names("2026-01-02 03:30").length, 2);
  assert.equal(names("now").length, 4);
  assert.equal(names("20260215T030000Z").length, 46);
  assert.deepEqual(names("20260216T030000Z-full"), ["20260216T030000Z-full"]);
  assert.throws(() => names("2026-01-01"), outcome("usage", /since the first backup/));
  assert.throws(() => names("soon"), outcome("usage", /expected a time/));
  assert.throws(() => chooseSteps([], "now", new Date()), outcome("failed", /found none/));
});

test("what can't be brought back is told, with the newest that can: no older one is taken instead", () => {
  const backups = nights(5, { incrementals: 2, fulls: 9 });
  const damaged = backups.map((each, at) =>
    at === 1 ? { ...each, damage: "its file f is gone" } : each,
  );
  const choose = (at: string, among = damaged): number =>
    chooseSteps(chainsOf(among), at, new Date(start + 60 * day)).length;
  assert.equal(choose("20260101T030000Z"), 1);
  assert.equal(choose("20260105T030000Z"), 2);
  assert.throws(
    () => choose("20260103T030000Z"),
    outcome(
      "failed",
      /20260102\S+ broken: its file f is gone newest older one that can be restored is 20260101T030000Z-full|20260101T030000Z-full/,
    ),
  );
  assert.throws(
    () => choose("20260102T120000Z".replace("T12", "T03")),
    outcome("failed", /its file f/),
  );
  // A test that failed once doesn't keep anybody from trying.
  const doubted = backups.map((each, at) =>
    at === 1 ? { ...each, broken: { at: "2026-01-03T00:00:00Z", reason: "x" } } : each,
  );
  assert.equal(choose("20260103T030000Z", doubted), 3);
});

/** Which of a full backup and four incremental ones on it are tested. */
function tested(text: string): number[] {
  return [0, 1, 2, 3, 4].filter((nth) =>
    isTested(parseTestRule(text), nth === 0 ? "full" : "incremental", nth),
  );
}

test("which backups are prepared for a test", () => {
  assert.deepEqual(tested("each"), [0, 1, 2, 3, 4]);
  assert.deepEqual(tested("full"), [0]);
  assert.deepEqual(tested("never"), []);
  assert.deepEqual(tested("2"), [0, 2, 4]);
  for (const text of ["", "0", "-1", "x", "1.5"])
    assert.throws(() => parseTestRule(text), outcome("usage", /--test: expected each/));
});
