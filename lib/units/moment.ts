import { usage } from "../errors.ts";
import { parseAge } from "./age.ts";

export interface MomentContext {
  readonly now: Date;
  /** IANA name, such as Europe/Berlin: where times without an offset are read. */
  readonly timeZone: string;
}

/** What people may write, for hints. */
const examples =
  "such as 2026-03-05, '2026-03-05 14:00', 2026-03-05T14:00:00+01:00, '3 days ago', 'yesterday 14:00' or now";

const day = 86_400_000;
const spans: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day,
  week: 7 * day,
  month: 30 * day,
  year: 365 * day,
};

/**
 * The moment that a text means: RFC 3339 with an offset; a date with or without a time of day, read
 * in the time zone (a date alone is its first instant); `now`; `today` or `yesterday`, with or
 * without a time of day; `3 days ago`; an age in rclone's units such as `36h`; `@SECONDS` since 1970. A
 * day ago is 24 hours ago, a month 30 days and a year 365.
 * Throws a usage failure on anything else, and where the clocks' change makes a time of day
 * happen twice or not at all: the hint then has both readings.
 */
export function parseMoment(text: string, context: MomentContext): Date {
  const plain = text.trim().replaceAll(/\s+/g, " ");
  const moment =
    relative(plain.toLowerCase(), context) ?? age(plain, context) ?? dated(plain, context);
  if (moment === undefined)
    throw usage(`expected a time, found ${JSON.stringify(text)}`, { hint: examples });
  return moment;
}

/** As parseMoment. Throws a usage failure on a moment after now, too. */
export function parsePastMoment(text: string, context: MomentContext): Date {
  const moment = parseMoment(text, context);
  if (moment.getTime() > context.now.getTime())
    throw usage(
      `expected a time in the past, found ${formatMoment(moment, context.timeZone)}, and it is ${formatMoment(context.now, context.timeZone)}`,
    );
  return moment;
}

const spelled = new Map<string, string>();

/** The system's time zone, or the one of this name as Intl spells it. Throws usage on an unknown one. */
export function timeZone(name?: string): string {
  const known = spelled.get(name ?? "");
  if (known !== undefined) return known;
  try {
    const options = name === undefined ? {} : { timeZone: name };
    const zone = new Intl.DateTimeFormat("en-US", options).resolvedOptions().timeZone;
    // The system's may change; asking for one takes a third of a millisecond.
    if (name !== undefined) spelled.set(name, zone);
    return zone;
  } catch (cause) {
    throw usage(`expected the name of a time zone, found ${JSON.stringify(name)}`, {
      hint: "such as Europe/Berlin or UTC",
      cause,
    });
  }
}

/** `2026-03-05 14:00:00 +01:00`: a moment for a reader, to the second. */
export function formatMoment(moment: Date, zone: string): string {
  const offset = offsetAt(moment.getTime(), zone);
  const wall = new Date(moment.getTime() + offset).toISOString();
  return `${wall.slice(0, 10)} ${wall.slice(11, 19)} ${offsetText(offset)}`;
}

/** The same to the millisecond where it isn't a whole second, so that what is written like that means this very moment. */
export function formatExactMoment(moment: Date, zone: string): string {
  const fraction = moment.toISOString().slice(19, 23);
  const text = formatMoment(moment, zone);
  return fraction === ".000" ? text : `${text.slice(0, 19)}${fraction}${text.slice(19)}`;
}

function relative(text: string, context: MomentContext): Date | undefined {
  const now = context.now.getTime();
  if (text === "now") return context.now;
  const named = /^(today|yesterday)(?: (.+))?$/.exec(text);
  if (named !== null) {
    const today = new Date(now + offsetAt(now, context.timeZone)).toISOString().slice(0, 10);
    const date = named[1] === "today" ? today : isoDate(Date.parse(today) - day);
    return dated(named[2] === undefined ? date : `${date} ${named[2]}`, context);
  }
  const ago = /^((?:(?:\d+(?:\.\d+)?|an?) [a-z]+(?:,? and |, | ))+)ago$/.exec(text);
  if (ago === null) return undefined;
  let sum = 0;
  for (const [, count = "", unit = ""] of (ago[1] ?? "").matchAll(
    /(\d+(?:\.\d+)?|an?) ([a-z]+)/g,
  )) {
    const length = spans[unit.replace(/s$/, "")];
    if (length === undefined) return undefined;
    sum += (count.startsWith("a") ? 1 : Number(count)) * length;
  }
  return inRange(now - sum);
}

function age(text: string, { now }: MomentContext): Date | undefined {
  const seconds = /^@(-?\d+(?:\.\d+)?)$/.exec(text)?.[1];
  if (seconds !== undefined) return inRange(Number(seconds) * 1000);
  // A bare number could be anything.
  if (!/^\d[\d.a-zµ]*[a-zµ]$/i.test(text)) return undefined;
  const parsed = parseAge(text);
  return parsed.kind === "span" ? inRange(now.getTime() - parsed.seconds * 1000) : undefined;
}

function inRange(time: number): Date | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

const grammar =
  /^(?<date>\d{4}-\d\d-\d\d)(?:[T ](?<hour>\d\d?):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?)?(?: ?(?<zone>Z|UTC|[+-]\d\d:?\d\d))?$/i;

function dated(text: string, context: MomentContext): Date | undefined {
  const { date, hour, minute, second, fraction, zone: given } = grammar.exec(text)?.groups ?? {};
  if (date === undefined) return undefined;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // Date takes 31 February for 2 March.
  if (Number.isNaN(midnight) || isoDate(midnight) !== date) return undefined;
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second ?? 0) > 59)
    return undefined;
  const wall =
    midnight +
    (Number(hour ?? 0) * 3600 + Number(minute ?? 0) * 60 + Number(second ?? 0)) * 1000 +
    Math.floor(Number(`0.${fraction ?? 0}`) * 1000);
  if (given !== undefined) return new Date(wall - givenOffset(given));
  const zone = context.timeZone;
  if (hour === undefined) return new Date(firstInstant(wall, zone));
  const [only, another] = readings(wall, zone);
  if (only !== undefined && another === undefined) return new Date(only);
  throw ambiguous(text, wall, zone, only !== undefined);
}

/** The moments at which a clock in the zone shows this wall time (given as if it were UTC). */
function readings(wall: number, zone: string): number[] {
  return offsetsAround(wall, zone)
    .map((offset) => wall - offset)
    .filter((moment) => moment + offsetAt(moment, zone) === wall)
    .toSorted((a, b) => a - b);
}

/** The zone's offsets shortly before, at and after a wall time, each once. */
function offsetsAround(wall: number, zone: string): number[] {
  return [...new Set([wall - day, wall, wall + day].map((moment) => offsetAt(moment, zone)))];
}

/**
 * The first moment at which a clock in the zone shows this wall time (given as if it were UTC) or a
 * later one: where the clocks skip it, that is when they are put forward.
 */
export function firstInstant(wall: number, zone: string): number {
  const [first] = readings(wall, zone);
  if (first !== undefined) return first;
  // It is skipped: each offset is a bound for the time of the change.
  const bounds = offsetsAround(wall, zone).map((offset) => wall - offset);
  return firstMoment(
    Math.min(...bounds),
    Math.max(...bounds),
    (moment) => moment + offsetAt(moment, zone) >= wall,
  );
}

/** The first moment after `low` at which something holds that holds at `high`, and stays so from then on. */
function firstMoment(low: number, high: number, holds: (moment: number) => boolean): number {
  let [before, after] = [low, high];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (holds(middle)) after = middle;
    else before = middle;
  }
  return after;
}

/**
 * The latest wall time (as if it were UTC) that a clock in the zone has shown up to a moment: what it
 * shows, or, in an hour that it shows for the second time, the end of the first.
 */
export function latestWall(moment: number, zone: string): number {
  const now = offsetAt(moment, zone);
  const before = offsetAt(moment - day, zone);
  if (before <= now) return moment + now;
  const change = firstMoment(moment - day, moment, (each) => offsetAt(each, zone) === now);
  return Math.max(moment + now, change + before - 1);
}

function ambiguous(text: string, wall: number, zone: string, twice: boolean): Error {
  const offsets = offsetsAround(wall, zone).toSorted((a, b) => b - a);
  const shown = new Date(wall).toISOString().slice(0, 19);
  const ways = offsets.map((offset) => `${shown}${offsetText(offset)}`);
  return usage(
    `expected a time that a clock in ${zone} shows once, found ${text}, which it shows ${twice ? "twice" : "never, for it is then put forward"}`,
    { hint: `write which is meant: ${ways.join(" or ")}` },
  );
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's clocks are ahead of UTC at a moment, in milliseconds. Throws where Intl doesn't tell. */
function offsetAt(moment: number, zone: string): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    formats.set(zone, format);
  }
  // `1/31/2026, GMT+01:00`; `GMT` alone for none, and seconds where an old offset has some.
  const told = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(moment));
  if (told === null) throw new TypeError(`expected the offset of ${zone}, found none`);
  const [, sign, hours = 0, minutes = 0, seconds = 0] = told;
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return (sign === "-" ? -offset : offset) * 1000;
}

function givenOffset(text: string): number {
  const match = /^([+-])(\d\d):?(\d\d)$/.exec(text);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === "-" ? -minutes : minutes) * 60_000;
}

function offsetText(offset: number): string {
  const minutes = Math.round(Math.abs(offset) / 60_000);
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function isoDate(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
