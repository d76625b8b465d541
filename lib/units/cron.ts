import { usage } from "../errors.ts";
import { suggest } from "./suggest.ts";

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of the values from `min` on. */
  readonly words: readonly string[];
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const weekdays = "sun mon tue wed thu fri sat".split(" ");

const minuteField: Field = { name: "minute", min: 0, max: 59, words: [] };
const hourField: Field = { name: "hour", min: 0, max: 23, words: [] };
const dayField: Field = { name: "day of month", min: 1, max: 31, words: [] };
const monthField: Field = { name: "month", min: 1, max: 12, words: months };
const weekdayField: Field = { name: "day of week", min: 0, max: 7, words: weekdays };

/** The most days that each month has. */
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const nicknames = new Map(
  Object.entries({
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@annually": "0 0 1 1 *",
    "@yearly": "0 0 1 1 *",
  }),
);

const example = "minute, hour, day of month, month, day of week, such as 30 3 * * *";

/** The values that each field of a schedule allows; Sunday is 0. */
export interface CronFields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
}

/**
 * Reads a schedule of five fields as crontab(5) has them: `*`, numbers, names of months and days,
 * ranges, steps, and lists of these. Where day of month and day of week are both restricted, either
 * is enough. Throws a usage failure on anything else: other programs' extensions (seconds, `L`, `#`,
 * `?`, `@daily`), a step in one day field beside the other, which crons read differently, and a date
 * that no year has.
 */
export function parseCron(text: string): CronFields {
  let fields = known.get(text);
  if (fields === undefined) {
    fields = readFields(text);
    known.set(text, fields);
  }
  return fields;
}

/** A schedule is read for its configuration and for each question about its times. */
const known = new Map<string, CronFields>();

function readFields(text: string): CronFields {
  const [minute = "", hour, day, month, weekday, ...more] = text.trim().split(/\s+/);
  if (hour === undefined || day === undefined || month === undefined || weekday === undefined)
    throw tooFew(text.trim());
  if (more.length > 0)
    throw usage(`expected five fields, found ${5 + more.length} in ${JSON.stringify(text)}`, {
      hint: more.length === 1 ? `without seconds: ${example}` : example,
    });
  const fields = {
    minutes: readField(minute, minuteField),
    hours: readField(hour, hourField),
    days: readField(day, dayField),
    months: readField(month, monthField),
    weekdays: readField(weekday, weekdayField),
  };
  if (fields.weekdays.delete(7)) fields.weekdays.add(0);
  if ((isStepped(day) && weekday !== "*") || (isStepped(weekday) && day !== "*"))
    throw bothDays(day, weekday);
  const longest = Math.max(...[...fields.months].map((each) => monthDays[each - 1] ?? 0));
  const first = Math.min(...fields.days);
  if (weekday === "*" && first > longest)
    throw usage(`expected a date that there is, found day ${first} of month ${month}`);
  return fields;
}

function tooFew(text: string): Error {
  const nickname = nicknames.get(text.toLowerCase());
  const count = text === "" ? 0 : text.split(/\s+/).length;
  const found = count === 0 ? "nothing" : `${count} in ${JSON.stringify(text)}`;
  return usage(`expected five fields, found ${nickname === undefined ? found : text}`, {
    hint: nickname === undefined ? example : `write ${nickname}`,
  });
}

function readField(text: string, field: Field): Set<number> {
  return new Set(text.split(",").flatMap((part) => readPart(part, field)));
}

function readPart(part: string, field: Field): number[] {
  const [, range = "", step] = /^([^/]*)(?:\/(\d{1,4}))?$/.exec(part) ?? [];
  const [first, last, ...more] = range.split("-");
  if (first === undefined || first === "" || more.length > 0) throw wrong(part, field);
  if (range === "*") return series(field.min, top(field), stepOf(step, part, field));
  const low = valueOf(first, part, field);
  // Without a range, crons disagree about what a step begins.
  if (last === undefined && step !== undefined)
    throw wrong(part, field, `write ${first}-${top(field)}/${step}`);
  const high = last === undefined ? low : valueOf(last, part, field);
  if (high < low) {
    const split = high === 0 && field.max === 7 ? "7" : `${top(field)},${field.min}-${high}`;
    throw wrong(part, field, `write ${low}-${split}`);
  }
  return series(low, high, stepOf(step, part, field));
}

/** The last value that is not another name of the first. */
function top({ max }: Field): number {
  return max === 7 ? 6 : max;
}

function valueOf(text: string, part: string, field: Field): number {
  if (/^\d{1,2}$/.test(text)) {
    const value = Number(text);
    if (value >= field.min && value <= field.max) return value;
    throw wrong(part, field);
  }
  const index = field.words.indexOf(text.toLowerCase());
  if (index >= 0) return field.min + index;
  const near = /^[a-z]+$/i.test(text) ? suggest(text.slice(0, 3), field.words) : undefined;
  throw wrong(part, field, near === undefined ? undefined : `did you mean ${near}?`);
}

function stepOf(text: string | undefined, part: string, field: Field): number {
  if (text === undefined) return 1;
  const step = Number(text);
  if (step >= 1 && step <= top(field) - field.min + 1) return step;
  throw wrong(part, field, `a step from 1 to ${top(field) - field.min + 1}`);
}

function series(low: number, high: number, step: number): number[] {
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, at) => low + at * step);
}

function isStepped(text: string): boolean {
  return /\*\//.test(text);
}

function bothDays(day: string, weekday: string): Error {
  return usage(
    `expected * as day of month or as day of week beside a step, found ${day} and ${weekday}`,
    { hint: "crons disagree about whether one of them or both must match; list the days instead" },
  );
}

function wrong(part: string, field: Field, hint?: string): Error {
  const names = field.words.length === 0 ? "" : ` or ${field.words[0]}-${field.words.at(-1)}`;
  return usage(
    `expected ${field.name} as *, ${field.min}-${field.max}${names}, ranges, steps such as */2, or a list of them, found ${JSON.stringify(part)}`,
    hint === undefined ? {} : { hint },
  );
}
