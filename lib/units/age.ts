import { usage } from "../errors.ts";

/** How far back: a span before now, or a fixed moment. */
export type Age =
  | { readonly kind: "span"; readonly seconds: number }
  | { readonly kind: "date"; readonly date: Date };

/** rclone's units. M is a month and m a minute. */
const seconds: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 7 * 86_400,
  M: 30 * 86_400,
  y: 365 * 86_400,
};

/** No file is older than this, and a Date holds it. */
const longest = 10_000 * 365 * 86_400;

/**
 * Reads an age in rclone's syntax: `90m`, `3M`, `1.5d`, `1h30m`, a bare number of seconds, a date
 * `2006-01-02`, `2006-01-02 15:04:05` or `2006-01-02T15:04:05` in local time, or RFC 3339. `1d2h`
 * is understood as well, which rclone refuses: give rclone `ageCutoff`, not the text.
 * Throws a usage failure on anything else.
 */
export function parseAge(text: string): Age {
  const span = parseSpan(text);
  if (span !== undefined && span <= longest) return { kind: "span", seconds: span };
  const date = parseDate(text);
  if (date !== undefined) return { kind: "date", date };
  throw usage(`expected an age such as 90m, 7d, 3M or 2024-01-31, found ${JSON.stringify(text)}`, {
    hint: "units are ms, s, m (minutes), h, d, w, M (months) and y",
  });
}

/** The moment that an age means: only what was modified after it is younger. */
export function ageCutoff(age: Age, now: Date): Date {
  return age.kind === "date" ? age.date : new Date(now.getTime() - age.seconds * 1000);
}

function parseSpan(text: string): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwMy]))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwMy])/g)) {
    sum += Number(number) * (seconds[unit] ?? Number.NaN);
  }
  return sum;
}

function parseDate(text: string): Date | undefined {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?)?$/i.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  if (year === undefined || month === undefined || day === undefined) return undefined;
  // Date would turn 31 February into 2 March.
  const daysOfMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth) return undefined;
  if ((hour ?? 0) > 23 || (minute ?? 0) > 59 || (second ?? 0) > 59) return undefined;
  const zone = match[7];
  if (zone === undefined) return new Date(year, month - 1, day, hour, minute, second);
  // RFC 3339 has no space, and Date.parse does not take one in every release.
  const date = new Date(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(date.getTime()) ? undefined : date;
}
