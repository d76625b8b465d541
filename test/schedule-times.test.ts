import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Failure } from "../lib/errors.ts";
import { dueTime, lastTime, nextTime, overdueSince } from "../lib/schedule/times.ts";
import type { Schedule } from "../lib/schedule/times.ts";
import { parseCron } from "../lib/units/cron.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

function at(text: string): Date {
  return new Date(`${text}Z`);
}

function schedule(cron: string, timeZone = "UTC"): Schedule {
  return { cron, timeZone };
}

/** Every scheduled time in (from, to], as `MM-DDTHH:MM` in UTC. */
function times(wanted: Schedule, from: string, to: string): string[] {
  const found: string[] = [];
  let time = nextTime(wanted, at(from));
  while (time <= at(to)) {
    found.push(time.toISOString().slice(5, 16));
    time = nextTime(wanted, time);
  }
  return found;
}

test("a schedule's times, plain ones", () => {
  const from = "2026-11-20T12:00";
  const first = (cron: string): string => nextTime(schedule(cron), at(from)).toISOString();
  const cases: Readonly<Record<string, string>> = {
    "30 3 * * *": "2026-11-21T03:30:00.000Z",
    "0 12 * * *": "2026-11-21T12:00:00.000Z",
    "* * * * *": "2026-11-20T12:01:00.000Z",
    "*/15 * * * *": "2026-11-20T12:15:00.000Z",
    "5,35 13 * * *": "2026-11-20T13:05:00.000Z",
    "0 8-10/2 * * *": "2026-11-21T08:00:00.000Z",
    "0 3 * * sun": "2026-11-22T03:00:00.000Z",
    "0 3 * * 7": "2026-11-22T03:00:00.000Z",
    "0 3 * * SAT,sun": "2026-11-21T03:00:00.000Z",
    "0 3 31 * *": "2026-12-31T03:00:00.000Z",
    "0 3 29 feb *": "2028-02-29T03:00:00.000Z",
    // Both days restricted: either is enough.
    "0 3 25 * mon": "2026-11-23T03:00:00.000Z",
    "0 3 22 * mon": "2026-11-22T03:00:00.000Z",
    "0 3 */2 * *": "2026-11-21T03:00:00.000Z",
    "0 3 * * */2": "2026-11-21T03:00:00.000Z",
  };
  for (const [cron, wanted] of Object.entries(cases)) assert.equal(first(cron), wanted, cron);
  assert.equal(
    nextTime(schedule("0 0 29 2 *"), at("2096-03-01T00:00")).getTime(),
    at("2104-02-29T00:00").getTime(),
    "the longest wait that there is",
  );
});

test("Berlin: a skipped hour runs once, a doubled one once", () => {
  const zone = "Europe/Berlin";
  const spring = (cron: string): string[] =>
    times(schedule(cron, zone), "2026-03-28T12:00", "2026-03-29T12:00");
  assert.deepEqual(spring("30 2 * * *"), ["03-29T01:00"], "when the clocks are put forward");
  assert.deepEqual(spring("30 1 * * *"), ["03-29T00:30"]);
  assert.deepEqual(spring("0 3 * * *"), ["03-29T01:00"]);
  assert.deepEqual(spring("15 2,3 * * *"), ["03-29T01:00", "03-29T01:15"]);
  assert.deepEqual(spring("0 2,3 * * *"), ["03-29T01:00"], "two at the same moment are one");
  assert.equal(spring("0 * * * *").length, 24);
  const autumn = (cron: string): string[] =>
    times(schedule(cron, zone), "2026-10-24T12:00", "2026-10-25T12:00");
  assert.deepEqual(autumn("30 2 * * *"), ["10-25T00:30"], "the first time the clocks show it");
  assert.deepEqual(autumn("59 1 * * *"), ["10-24T23:59"]);
  assert.deepEqual(autumn("0 3 * * *"), ["10-25T02:00"]);
  assert.deepEqual(autumn("15 2,3 * * *"), ["10-25T00:15", "10-25T02:15"]);
  assert.equal(autumn("0 * * * *").length, 23);
});

function newYork(cron: string): Schedule {
  return schedule(cron, "America/New_York");
}

function lordHowe(cron: string): Schedule {
  return schedule(cron, "Australia/Lord_Howe");
}

test("New York and Lord Howe, whose clocks change by half an hour", () => {
  assert.deepEqual(times(newYork("30 2 8 3 *"), "2026-03-08T04:00", "2026-03-08T12:00"), [
    "03-08T07:00",
  ]);
  assert.deepEqual(times(newYork("30 1 1 11 *"), "2026-11-01T04:00", "2026-11-01T12:00"), [
    "11-01T05:30",
  ]);
  // 2:00 becomes 2:30 on 4 October, 2:00 becomes 1:30 on 5 April.
  assert.deepEqual(times(lordHowe("15,45 2 * * *"), "2026-10-03T12:00", "2026-10-04T12:00"), [
    "10-03T15:30",
    "10-03T15:45",
  ]);
  assert.deepEqual(times(lordHowe("15,45 1 * * *"), "2026-04-04T12:00", "2026-04-05T12:00"), [
    "04-04T14:15",
    "04-04T14:45",
  ]);
  assert.deepEqual(times(lordHowe("0 2 * * *"), "2026-04-04T12:00", "2026-04-05T12:00"), [
    "04-04T15:30",
  ]);
});

test("a day that a zone has left out runs at its end", () => {
  // Samoa went from the 29th to the 31st of December 2011.
  assert.deepEqual(
    times(schedule("30 3 * * *", "Pacific/Apia"), "2011-12-29T00:00", "2012-01-01T00:00"),
    ["12-29T13:30", "12-30T10:00", "12-30T13:30", "12-31T13:30"],
  );
});

test("the last time is one that next gives, also within an hour shown twice", () => {
  const nightly = schedule("30 2 * * *", "Europe/Berlin");
  const first = at("2026-10-25T00:30");
  for (const moment of ["2026-10-25T00:30", "2026-10-25T01:15", "2026-10-25T01:30:00.001"])
    assert.equal(lastTime(nightly, at(moment)).getTime(), first.getTime(), moment);
  assert.equal(
    lastTime(nightly, new Date(first.getTime() - 1)).getTime(),
    at("2026-10-24T00:30").getTime(),
  );
});

test("a missed time is caught up exactly once", () => {
  const nightly = schedule("30 3 * * *");
  const due = (last: string | undefined, now: string): string | undefined =>
    dueTime(nightly, last === undefined ? undefined : at(last), at(now))
      ?.toISOString()
      .slice(0, 16);
  assert.equal(due(undefined, "2026-11-20T12:00"), "2026-11-20T12:00", "never ran: now");
  assert.equal(due("2026-11-16T03:30:05", "2026-11-20T12:00"), "2026-11-20T03:30", "four are one");
  assert.equal(due("2026-11-20T12:00:01", "2026-11-20T12:01"), undefined, "and then it is done");
  assert.equal(due("2026-11-20T12:00:01", "2026-11-21T03:30"), "2026-11-21T03:30");
  assert.equal(due("2026-11-20T03:30", "2026-11-20T03:30"), undefined, "it started on time");
  assert.equal(due("2026-11-20T03:29:59", "2026-11-20T03:30"), "2026-11-20T03:30");
  assert.equal(due("2026-11-20T03:29:59", "2026-11-20T03:29:59.999"), undefined);
  assert.equal(due("2026-11-20T03:30:01", "2026-11-20T03:29:59"), undefined, "a clock set back");
  assert.equal(due("2040-01-01T00:00", "2026-11-20T12:00"), "2026-11-20T12:00", "a wrong clock");
});

function since(last: string | undefined, now: string, by?: Schedule): string | undefined {
  return overdueSince(by, last === undefined ? undefined : at(last), at(now))
    ?.toISOString()
    .slice(0, 16);
}

test("overdue is what has missed its second time", () => {
  const nightly = schedule("30 3 * * *");
  const good = "2026-11-20T03:30:02";
  assert.equal(since(good, "2026-11-21T04:00", nightly), undefined);
  assert.equal(since(good, "2026-11-22T03:29", nightly), undefined);
  assert.equal(since(good, "2026-11-22T03:30", nightly), "2026-11-22T03:30");
  assert.equal(since(good, "2026-12-22T03:30", nightly), "2026-11-22T03:30");
  assert.equal(since(good, "2027-02-01T00:00", schedule("0 0 1 * *")), "2027-01-01T00:00");
  assert.equal(since(good, "2026-11-21T15:30:01"), undefined);
  assert.equal(since(good, "2026-11-21T15:30:02"), "2026-11-21T15:30");
  assert.equal(since(undefined, "2026-11-22T03:30", nightly), undefined);
});

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kathmandu",
];

/** Fields as people write them, days of both kinds among them. */
const crons = fc
  .tuple(
    fc.constantFrom("0", "30", "59", "*/20", "5,35", "10-12"),
    fc.constantFrom("*", "0", "1", "2", "3", "23", "*/6", "1-3", "0,12"),
    fc.constantFrom("*", "*", "1", "15", "31", "25-31", "1-31", "*/2"),
    fc.constantFrom("*", "*", "3", "10", "2", "mar,oct"),
    fc.constantFrom("*", "*", "0", "7", "sun", "1-5", "fri-7", "1-7/2", "1-7", "0-6", "*/2", "*/3"),
  )
  .map((fields) => fields.join(" "))
  .filter(isSchedule);

function isSchedule(cron: string): boolean {
  try {
    parseCron(cron);
    return true;
  } catch {
    return false;
  }
}

const moments = fc
  .integer({ min: Date.parse("2026-01-01"), max: Date.parse("2027-12-31") })
  .map((time) => new Date(time));

/** Moments around the change of a clock, where all that is difficult is. */
const changes = [
  "2026-03-29T01:00",
  "2026-10-25T01:00",
  "2026-03-08T07:00",
  "2026-11-01T06:00",
  "2026-10-03T15:30",
  "2026-04-04T15:00",
  "2026-02-15T02:00",
  "2026-03-22T02:00",
].map((text) => at(text).getTime());

const nearChanges = fc
  .tuple(fc.constantFrom(...changes), fc.integer({ min: -3 * hour, max: 3 * hour }))
  .map(([change, off]) => new Date(change + off));

const anyMoment = fc.oneof(moments, nearChanges);

test("next is after, last is not, and nothing lies between", () => {
  fc.assert(
    fc.property(crons, fc.constantFrom(...zones), anyMoment, (cron, zone, moment) => {
      const wanted = schedule(cron, zone);
      const next = nextTime(wanted, moment);
      const last = lastTime(wanted, moment);
      assert.ok(next > moment && last <= moment);
      assert.equal(nextTime(wanted, last).getTime(), next.getTime());
      assert.equal(lastTime(wanted, new Date(next.getTime() - 1)).getTime(), last.getTime());
      assert.equal(lastTime(wanted, next).getTime(), next.getTime());
    }),
    { numRuns: 200 },
  );
});

test("a scheduled time is what the clock shows, or the moment at which it passed that over", () => {
  fc.assert(
    fc.property(crons, fc.constantFrom(...zones), anyMoment, (cron, zone, moment) => {
      const time = nextTime(schedule(cron, zone), moment);
      const face = wallOf(time, zone);
      const before = wallOf(new Date(time.getTime() - 1), zone);
      // All that the clock's face went through at this moment.
      const shown: boolean[] = [];
      for (let wall = Math.max(face - day, before + 1); wall <= face; wall += 1) {
        if (wall % minute === 0) shown.push(onFace(cron, new Date(wall)));
        else wall = Math.ceil(wall / minute) * minute - 1;
      }
      assert.ok(shown.includes(true), `${cron} in ${zone}: ${time.toISOString()}`);
    }),
    { numRuns: 200 },
  );
});

test("every time of a year is due once, however often somebody asks", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("30 2 * * *", "0 3 * * 1-5", "15 1,2 * * *", "0 0 1 * *"),
      fc.constantFrom(...zones),
      fc.constantFrom(15 * minute, 3 * hour, day, 36 * hour),
      fc.integer({ min: 0, max: 14 * minute }),
      (cron, zone, every, offset) => {
        const wanted = schedule(cron, zone);
        const begin = Date.parse("2026-01-01T12:00:00Z") + offset;
        let started = new Date(begin);
        const done: number[] = [];
        // Where nothing can be due, asking is left out: from next to next is the same, only faster.
        for (let now = begin + every; now < begin + 366 * day; now += every) {
          const due = dueTime(wanted, started, new Date(now));
          if (due === undefined) {
            const next = nextTime(wanted, started).getTime();
            now += Math.max(0, Math.floor((next - now) / every) - 1) * every;
            continue;
          }
          assert.ok(due.getTime() > started.getTime() && due.getTime() <= now);
          done.push(due.getTime());
          started = new Date(now);
        }
        assert.equal(new Set(done).size, done.length, "no time twice");
        // The newest time before each moment of asking, and no other.
        const all: number[] = [];
        let time = nextTime(wanted, new Date(begin));
        const end = done.at(-1) ?? 0;
        while (time.getTime() <= end) {
          all.push(time.getTime());
          time = nextTime(wanted, time);
        }
        const slot = (value: number): number => Math.ceil((value - begin) / every);
        const newest = all.filter((value, index) => slot(value) !== slot(all[index + 1] ?? 0));
        assert.deepEqual(done, newest);
      },
    ),
    { numRuns: 8 },
  );
});

test("any text is a schedule with times, or refused", () => {
  const part = fc.oneof(
    fc.constantFrom(
      "*",
      "*/2",
      "1",
      "0-7",
      "1-5/2",
      "jan",
      "sun-sat",
      "7",
      "59",
      "L",
      "",
      "-",
      "/",
    ),
    fc.string({ unit: fc.constantFrom(...Array.from("*/-,0123457aL")), maxLength: 5 }),
  );
  const field = fc.array(part, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(","));
  const text = fc.array(fc.oneof(fc.constant("*"), field), { minLength: 4, maxLength: 6 });
  fc.assert(
    fc.property(text, (fields) => {
      const cron = fields.join(" ");
      try {
        const now = at("2026-11-20T12:00");
        assert.ok(nextTime(schedule(cron), now) > now);
        assert.ok(onFace(cron, lastTime(schedule(cron), now)));
      } catch (error) {
        assert.ok(
          error instanceof Failure && error.outcome === "usage",
          `${cron}: ${String(error)}`,
        );
        assert.ok(!isSchedule(cron));
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(isSchedule("*,*,*,*,*,*,*,* * * * *"));
  assert.ok(nextTime(schedule("*,*,*,*,*,*,*,* * * * *"), new Date()) > new Date());
  assert.ok(!isSchedule("constructor"));
});

test("what is no schedule is refused, with what to write instead", () => {
  const cases: Readonly<Record<string, readonly [message: RegExp, hint: RegExp]>> = {
    "": [/expected five fields, found nothing/, /30 3 \* \* \*/],
    "30 3 * *": [/five fields, found 4/, /30 3 \* \* \*/],
    "0 30 3 * * *": [/five fields, found 6/, /without seconds/],
    "@daily": [/five fields, found @daily/, /write 0 0 \* \* \*/],
    "@reboot": [/five fields, found 1/, /30 3/],
    "60 3 * * *": [/minute as \*, 0-59.*found "60"/, /^$/],
    "0 24 * * *": [/hour as \*, 0-23.*found "24"/, /^$/],
    "0 3 0 * *": [/day of month as .*found "0"/, /^$/],
    "0 3 L * *": [/day of month as .*found "L"/, /^$/],
    "0 3 ? * *": [/day of month as .*found "\?"/, /^$/],
    "H 3 * * *": [/minute as .*found "H"/, /^$/],
    "0 3 * 13 *": [/month as \*, 1-12 or jan-dec.*found "13"/, /^$/],
    "0 3 * fbe *": [/month as .*found "fbe"/, /did you mean feb\?/],
    "0 3 * * 8": [/day of week as \*, 0-7 or sun-sat.*found "8"/, /^$/],
    "0 3 * * 5L": [/day of week as .*found "5L"/, /^$/],
    "0 3 * * 5#2": [/day of week as .*found "5#2"/, /^$/],
    "0 3 * * monday": [/day of week as .*found "monday"/, /did you mean mon\?/],
    "0 22-4 * * *": [/hour as .*found "22-4"/, /write 22-23,0-4/],
    "0 3 * * fri-sun": [/day of week as .*found "fri-sun"/, /write 5-7/],
    "5/15 * * * *": [/minute as .*found "5\/15"/, /write 5-59\/15/],
    "*/0 * * * *": [/minute as .*found "\*\/0"/, /a step from 1 to 60/],
    "*/90 * * * *": [/minute as .*found "\*\/90"/, /a step from 1 to 60/],
    "1,,2 * * * *": [/minute as .*found ""/, /^$/],
    "0 3 1-2-3 * *": [/day of month as .*found "1-2-3"/, /^$/],
    "0 3 30 2 *": [/a date that there is, found day 30 of month 2/, /^$/],
    "0 3 31 4,jun *": [/a date that there is, found day 31 of month 4,jun/, /^$/],
    "0 3 */2 * 1": [/beside a step, found \*\/2 and 1/, /crons disagree/],
  };
  for (const [cron, [message, hint]] of Object.entries(cases)) {
    assert.throws(
      () => nextTime(schedule(cron), new Date()),
      (error: unknown) => {
        assert.ok(error instanceof Failure, cron);
        assert.equal(error.outcome, "usage");
        assert.match(error.message, message);
        assert.match(error.hint ?? "", hint, cron);
        return true;
      },
    );
  }
  assert.throws(() => nextTime(schedule("0 3 * * *", "Mars/Olympus"), new Date()), Failure);
});

/** What a clock in the zone shows, as if it were UTC: from Intl alone. */
function wallOf(time: Date, zone: string): number {
  const text = new Intl.DateTimeFormat("sv-SE", {
    ...{ timeZone: zone, dateStyle: "short", timeStyle: "medium" },
  }).format(time);
  return Date.parse(`${text.replace(" ", "T")}Z`) + (time.getTime() % 1000);
}

/** Whether a minute of the clock's face is one of the schedule's: by its fields, without cron-parser. */
function onFace(cron: string, wall: Date): boolean {
  const { minutes, hours, days, months, weekdays } = parseCron(cron);
  const [, , dayField, , weekdayField] = cron.split(" ");
  const inMonth = days.has(wall.getUTCDate());
  const inWeek = weekdays.has(wall.getUTCDay());
  return (
    minutes.has(wall.getUTCMinutes()) &&
    hours.has(wall.getUTCHours()) &&
    months.has(wall.getUTCMonth() + 1) &&
    (dayField === "*" || weekdayField === "*" ? inMonth && inWeek : inMonth || inWeek)
  );
}
