import { usage } from "../errors.ts";

const units: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1 };

/**
 * The seconds that `30s`, `5m`, `1h30m`, `2d` or a bare number of seconds mean.
 * Throws a usage failure on anything else, on zero, and on more than `mostDays`: 24 unless given, since a
 * timer can't hold more.
 */
export function parseDuration(text: string, mostDays = 24): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : sumUnits(text);
  if (seconds === undefined || seconds <= 0) {
    throw usage(`expected a duration such as 30s, 5m or 1h30m, found ${JSON.stringify(text)}`, {
      hint: "numbers with d, h, m or s, the largest first; a bare number counts seconds",
    });
  }
  if (seconds > mostDays * 86_400)
    throw usage(`expected a duration of at most ${mostDays}d, found ${JSON.stringify(text)}`);
  return seconds;
}

function sumUnits(text: string): number | undefined {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (match === null || text === "") return undefined;
  return Object.values(units).reduce(
    (sum, unit, index) => sum + unit * Number(match[index + 1] ?? 0),
    0,
  );
}
