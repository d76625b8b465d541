import { CronExpressionParser, type CronExpression } from "cron-parser";
import { parseCron } from "../units/cron.ts";
import { firstInstant, latestWall, timeZone } from "../units/moment.ts";

// Loads cron-parser, and luxon with it. Import this file where a schedule is needed, not from the top
// of a command.

/** When a backup is to run. */
export interface Schedule {
  /** Five fields; see parseCron. */
  readonly cron: string;
  /** An IANA name; undefined: the system's. */
  readonly timeZone: string | undefined;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** A clock may be set back this far before what it said earlier is taken to be wrong. */
const clockTolerance = hour;

/** How long after its last good run a backup without a schedule is overdue: a night, and half a day. */
const overdueWithout = 36 * hour;

/**
 * The first scheduled time after a moment. Every time that the schedule names comes once: one that the
 * clocks skip when they are put forward, at that moment; one that they show twice, the first time.
 * Throws a usage failure if the schedule is none that parseCron takes or the zone is unknown.
 */
export function nextTime(schedule: Schedule, after: Date): Date {
  return answer("next", schedule, after.getTime());
}

/** The last scheduled time up to a moment; the same times as nextTime's. Throws as nextTime does. */
export function lastTime(schedule: Schedule, atOrBefore: Date): Date {
  return answer("prev", schedule, atOrBefore.getTime());
}

/**
 * The scheduled time that a backup is to run for now: the newest one after its last start. So of several
 * that were missed, one is caught up. A backup that never ran, or whose last start lies so far in the
 * future that a clock was wrong, is due now. Undefined: not due.
 */
export function dueTime(
  schedule: Schedule,
  lastStart: Date | undefined,
  now: Date,
): Date | undefined {
  if (lastStart === undefined || lastStart.getTime() > now.getTime() + clockTolerance) return now;
  const last = lastTime(schedule, now);
  return last.getTime() > lastStart.getTime() ? last : undefined;
}

/**
 * Since when a backup is overdue: the second scheduled time after its last good start, for one run may
 * fail or be caught up later; without a schedule, 36 hours after it. Of one that was never good, its first
 * try is given instead. Undefined: not overdue, or never tried.
 */
export function overdueSince(
  schedule: Schedule | undefined,
  since: Date | undefined,
  now: Date,
): Date | undefined {
  if (since === undefined) return undefined;
  if (schedule === undefined) {
    const limit = since.getTime() + overdueWithout;
    return limit <= now.getTime() ? new Date(limit) : undefined;
  }
  // Looked at from now first: that answer is the same for all backups of a schedule.
  const last = lastTime(schedule, now);
  if (last.getTime() <= since.getTime()) return undefined;
  const second = lastTime(schedule, new Date(last.getTime() - 1));
  if (second.getTime() <= since.getTime()) return undefined;
  return nextTime(schedule, nextTime(schedule, since));
}

/** Whether a schedule names every day of the year. Throws as nextTime does. */
export function isDaily({ cron }: Schedule): boolean {
  const { days, months, weekdays } = parseCron(cron);
  return months.size === 12 && days.size === 31 && weekdays.size === 7;
}

/** By direction, schedule and moment: a status asks the same of hundreds of backups. */
const answers = new Map<string, number>();
const mostAnswers = 20_000;

function answer(way: "next" | "prev", schedule: Schedule, moment: number): Date {
  const key = JSON.stringify([way, schedule.cron, schedule.timeZone, moment]);
  let found = answers.get(key);
  if (found === undefined) {
    if (answers.size >= mostAnswers) answers.clear();
    found = find(way, schedule, moment);
    answers.set(key, found);
  }
  return new Date(found);
}

/**
 * By the clock's face alone, as if in UTC. With a time zone of its own, cron-parser's answers about the days of
 * the clocks' change depend on where it begins and which way it looks.
 */
function find(way: "next" | "prev", { cron, timeZone: name }: Schedule, moment: number): number {
  const zone = zoneOf(name);
  const { times, days } = partsOf(cron);
  const wall = latestWall(moment, zone);
  const today = Math.floor(wall / day) * day;
  const first = way === "next" ? times.at(0) : times.at(-1);
  // Backwards, a time that is reached just now counts.
  const time =
    way === "next"
      ? times.find((each) => each > wall - today)
      : times.findLast((each) => each <= wall - today);
  if (time !== undefined && dayFrom(way, days, today) === today)
    return firstInstant(today + time, zone);
  const another = dayFrom(way, days, way === "next" ? today + day : today - day);
  return firstInstant(another + (first ?? 0), zone);
}

interface Parts {
  /** Times of the day, in milliseconds and in order. */
  readonly times: readonly number[];
  /** The schedule without them. */
  readonly days: string;
}

const parts = new Map<string, Parts>();

function partsOf(cron: string): Parts {
  let found = parts.get(cron);
  if (found === undefined) {
    const { minutes, hours } = parseCron(cron);
    const times = [...hours].flatMap((each) =>
      [...minutes].map((past) => each * hour + past * minute),
    );
    found = { times: times.toSorted((a, b) => a - b), days: plainDays(cron) };
    parts.set(cron, found);
  }
  return found;
}

const knownDays = new Map<string, number>();

/**
 * The first day at or after a day that a schedule names, or the last one at or before it. cron-parser, which is slow to
 * ask, is asked about days alone: hundreds of schedules that differ in the time of day share the answer.
 */
function dayFrom(way: "next" | "prev", days: string, from: number): number {
  const key = `${way} ${from} ${days}`;
  let found = knownDays.get(key);
  if (found === undefined) {
    if (knownDays.size >= mostAnswers) knownDays.clear();
    const expression = expressionOf(days);
    expression.reset(new Date(way === "next" ? from - 1 : from + 1));
    found = expression[way]().getTime();
    knownDays.set(key, found);
  }
  return found;
}

const expressions = new Map<string, CronExpression>();

/** Where an expression begins, until it is reset: without one, luxon asks for the system's time zone, which is slow. */
const epoch = new Date(0);

function expressionOf(days: string): CronExpression {
  let expression = expressions.get(days);
  if (expression === undefined) {
    expression = CronExpressionParser.parse(days, { tz: "UTC", currentDate: epoch });
    expressions.set(days, expression);
  }
  return expression;
}

/**
 * Midnight of the days that a schedule names, with nothing but numbers in it: cron-parser takes no list that
 * names values too often.
 */
function plainDays(cron: string): string {
  const { days, months, weekdays } = parseCron(cron);
  const values = [days, months, weekdays];
  // A star is kept: whether a day is restricted decides how the two day fields are combined.
  const plain = (field: string, at: number): string =>
    field === "*" ? field : [...(values[at] ?? [])].join(",");
  return `0 0 ${cron.trim().split(/\s+/).slice(2).map(plain).join(" ")}`;
}

const zones = new Map<string | undefined, string>();

function zoneOf(name: string | undefined): string {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = timeZone(name);
    zones.set(name, zone);
  }
  return zone;
}
