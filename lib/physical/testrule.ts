import { usage } from "../errors.ts";
import type { Kind } from "./names.ts";

/** Which backups are prepared for a test, from a copy, before they count as made. */
export interface TestRule {
  readonly fulls: boolean;
  /** Each such incremental backup of a chain: 1 is every one of them, 0 is none. */
  readonly every: number;
}

/** Reads `each`, `full`, `never`, or a number: full backups and each so many incremental ones. Throws usage. */
export function parseTestRule(text: string): TestRule {
  if (text === "never") return { fulls: false, every: 0 };
  if (text === "full") return { fulls: true, every: 0 };
  if (text === "each") return { fulls: true, every: 1 };
  if (/^[1-9]\d{0,3}$/.test(text)) return { fulls: true, every: Number(text) };
  throw usage(`--test: expected each, full, never or a number, found ${JSON.stringify(text)}`);
}

/** Whether a backup is tested that is the nth of its chain; the full one is number 0. */
export function isTested(rule: TestRule, kind: Kind, nth: number): boolean {
  return kind === "full" ? rule.fulls : rule.every > 0 && nth % rule.every === 0;
}
