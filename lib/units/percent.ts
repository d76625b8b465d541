import { usage } from "../errors.ts";

/**
 * The number in `50%` or `0.5%`, from 0 to 100.
 * Throws a usage failure on anything else.
 */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const percent = Number(match?.[1]);
  if (match === null || percent > 100) {
    throw usage(`expected a percentage from 0% to 100%, found ${JSON.stringify(text)}`);
  }
  return percent;
}
