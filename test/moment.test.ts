import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Failure } from "../lib/errors.ts";
import {
  formatExactMoment,
  formatMoment,
  parseMoment,
  parsePastMoment,
  timeZone,
} from "../lib/units/moment.ts";

const now = new Date("2026-11-21T12:00:00.500Z");
const read = (text: string, zone = "Europe/Berlin"): string =>
  parseMoment(text, { now, timeZone: zone }).toISOString();

test("times are read in the zone that is named", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["2026-03-05", "Europe/Berlin", "2026-03-04T23:00:00.000Z"],
    ["2026-03-05", "UTC", "2026-03-05T00:00:00.000Z"],
    ["2026-03-05 14:00", "Europe/Berlin", "2026-03-05T13:00:00.000Z"],
    ["2026-07-05 14:00:30", "Europe/Berlin", "2026-07-05T12:00:30.000Z"],
    ["2026-07-05T14:00:30.25", "America/New_York", "2026-07-05T18:00:30.250Z"],
    [" 2026-07-05   9:05 ", "Asia/Kolkata", "2026-07-05T03:35:00.000Z"],
    // With an offset the zone doesn't matter.
    ["2026-03-05T14:00:00Z", "Asia/Tokyo", "2026-03-05T14:00:00.000Z"],
    ["2026-03-05T14:00:00.123456789+02:00", "Asia/Tokyo", "2026-03-05T12:00:00.123Z"],
    ["2026-03-05 14:00 -0330", "Asia/Tokyo", "2026-03-05T17:30:00.000Z"],
    ["2026-03-05 14:00 UTC", "Asia/Tokyo", "2026-03-05T14:00:00.000Z"],
    ["@1714979289", "Asia/Tokyo", "2024-05-06T07:08:09.000Z"],
    ["now", "UTC", now.toISOString()],
    ["Yesterday 14:00", "Europe/Berlin", "2026-11-20T13:00:00.000Z"],
    ["yesterday", "Europe/Berlin", "2026-11-19T23:00:00.000Z"],
    ["today", "Pacific/Auckland", "2026-11-21T11:00:00.000Z"],
    ["3 days ago", "Europe/Berlin", "2026-11-18T12:00:00.500Z"],
    ["1 week, 2 hours and 30 minutes ago", "UTC", "2026-11-14T09:30:00.500Z"],
    ["an hour ago", "UTC", "2026-11-21T11:00:00.500Z"],
    ["2 months ago", "UTC", "2026-09-22T12:00:00.500Z"],
    ["36h", "UTC", "2026-11-20T00:00:00.500Z"],
    ["1d2h", "UTC", "2026-11-20T10:00:00.500Z"],
  ];
  for (const [text, zone, expected] of cases)
    assert.equal(read(text, zone), expected, `${text} in ${zone}`);
});

test("what is no time is told, with examples", () => {
  const bad = [
    "",
    "soon",
    "3",
    "3 days",
    "days ago",
    "3 fortnights ago",
    "2026-02-30",
    "2026-13-01",
  ];
  for (const text of [
    ...bad,
    "2026-03-05 24:00",
    "14:00",
    "2026-03-05T14",
    "yesterday noon",
    "-3 days ago",
  ])
    assert.throws(
      () => read(text),
      (error) =>
        error instanceof Failure &&
        error.outcome === "usage" &&
        /expected (a time|an age)/.test(error.message),
      text,
    );
});

test("a time that the clocks skip or show twice is an error with both readings", () => {
  const failure = (text: string, zone: string): Failure => {
    try {
      read(text, zone);
    } catch (error) {
      if (error instanceof Failure) return error;
    }
    return assert.fail(`${text} in ${zone} was taken`);
  };
  const gap = failure("2026-03-29 02:30", "Europe/Berlin");
  assert.match(gap.message, /Europe\/Berlin.*2026-03-29 02:30.*never/);
  assert.match(gap.hint ?? "", /2026-03-29T02:30:00\+02:00 or 2026-03-29T02:30:00\+01:00/);
  const overlap = failure("2026-10-25 02:30", "Europe/Berlin");
  assert.match(overlap.message, /twice/);
  assert.match(overlap.hint ?? "", /2026-10-25T02:30:00\+02:00 or 2026-10-25T02:30:00\+01:00/);
  assert.equal(read("2026-10-25T02:30:00+01:00"), "2026-10-25T01:30:00.000Z");
  // The edges: the gap is [2:00, 3:00), and so is the overlap.
  assert.equal(read("2026-03-29 01:59:59"), "2026-03-29T00:59:59.000Z");
  assert.equal(read("2026-03-29 03:00"), "2026-03-29T01:00:00.000Z");
  failure("2026-03-29 02:00", "Europe/Berlin");
  failure("2026-10-25 02:00", "Europe/Berlin");
  assert.equal(read("2026-10-25 03:00"), "2026-10-25T02:00:00.000Z");
  // Lord Howe Island moves by half an hour; Samoa left out 30 December 2011.
  failure("2026-10-04 02:15", "Australia/Lord_Howe");
  failure("2011-12-30 12:00", "Pacific/Apia");
});

test("a date alone is its first instant, also where the clocks skip midnight", () => {
  assert.equal(read("2018-11-04", "America/Sao_Paulo"), "2018-11-04T03:00:00.000Z");
  // In Havana 0:00 comes twice when summer ends.
  assert.equal(read("2026-11-01", "America/Havana"), "2026-11-01T04:00:00.000Z");
});

test("a moment written as it is shown means itself, whatever the zone", () => {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
  ];
  fc.assert(
    fc.property(fc.integer({ min: -2e9, max: 4e9 }), fc.constantFrom(...zones), (seconds, zone) => {
      const moment = new Date(seconds * 1000);
      const shown = formatMoment(moment, zone);
      // Offsets are shown to the minute; before about 1937 some had seconds too.
      if (seconds < -1e9) return;
      assert.equal(parseMoment(shown, { now, timeZone: zone }).getTime(), moment.getTime(), shown);
      const exact = new Date(moment.getTime() + ((seconds * 7) % 1000));
      const told = formatExactMoment(exact, zone);
      assert.equal(parseMoment(told, { now, timeZone: zone }).getTime(), exact.getTime(), told);
      let bare: Date | undefined;
      try {
        bare = parseMoment(shown.slice(0, 19), { now, timeZone: zone });
      } catch (error) {
        assert.ok(error instanceof Failure && error.hint?.includes("write which is meant"));
      }
      if (bare !== undefined) assert.equal(bare.getTime(), moment.getTime(), shown);
    }),
    { numRuns: 300 },
  );
});

test("milliseconds are shown where there are any", () => {
  for (const [time, shown] of [
    ["2026-03-05T13:00:00Z", "2026-03-05 14:00:00 +01:00"],
    ["2026-03-05T13:00:00.070Z", "2026-03-05 14:00:00.070 +01:00"],
  ] as const)
    assert.equal(formatExactMoment(new Date(time), "Europe/Berlin"), shown);
});

test("a time in the future is an error that says what time it is", () => {
  const context = { now, timeZone: "Europe/Berlin" };
  assert.equal(parsePastMoment("now", context).getTime(), now.getTime());
  assert.throws(() => parsePastMoment("2026-11-21 13:00:01", context), {
    message:
      "expected a time in the past, found 2026-11-21 13:00:01 +01:00, and it is 2026-11-21 13:00:00 +01:00",
  });
});

test("time zones are checked", () => {
  assert.equal(timeZone("Europe/Berlin"), "Europe/Berlin");
  assert.equal(timeZone(), Intl.DateTimeFormat().resolvedOptions().timeZone);
  assert.throws(
    () => timeZone("Europe/Atlantis"),
    /expected the name of a time zone, found "Europe\/Atlantis"/,
  );
});
