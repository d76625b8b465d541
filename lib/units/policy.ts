import { usage } from "../errors.ts";

/** One number of a policy, and what comes after it. */
export interface Step {
  /** An age in days. */
  readonly days: number;
  /** `always`: a `*` follows; `exists`: a `?` does. */
  readonly repeat: "no" | "always" | "exists";
}

/** Which old versions are kept. */
export interface Policy {
  /** As a message calls it. */
  readonly name: string;
  /** `all`: every version; `some`: by the steps, which for `none` are none. */
  readonly keeps: "all" | "some";
  readonly steps: readonly Step[];
}

/** What is wrong with a policy's text, and where in it. */
export interface PolicyProblem {
  readonly index: number;
  readonly message: string;
  readonly hint?: string;
}

/** The text of every policy that needs no definition; two of them are not lists of days. */
export const builtInPolicies: Readonly<Record<string, string>> = {
  default: "1 2 3 4 5 6 7 * 30 * 365 ?",
  none: "(no old version is kept)",
  forever: "(every version is kept)",
  one_week: "1 2 3 4 5 6 7",
  one_month: "1 2 3 4 5 6 7 * 30",
  three_months: "1 2 3 4 5 6 7 * 30 * 91",
  six_months: "1 2 3 4 5 6 7 * 30 * 182",
  one_year: "1 2 3 4 5 6 7 * 30 * 365",
  one_year_all: "1 * 365",
};

/** Why the name `never` is none. */
export const neverHint =
  "write none to keep no old version, or forever to keep all of them: never could mean either";

/** The built-in policy of a name, if there is one. */
export function builtInPolicy(name: string): Policy | undefined {
  if (name === "none") return { name, keeps: "some", steps: [] };
  if (name === "forever") return { name, keeps: "all", steps: [] };
  const text = Object.hasOwn(builtInPolicies, name) ? builtInPolicies[name] : undefined;
  return text === undefined ? undefined : parsePolicy(text, name);
}

/** The policy that a list of days means. Throws a usage failure for anything else. */
export function parsePolicy(text: string, name = text): Policy {
  const read = readPolicy(text, name);
  if ("steps" in read) return read;
  throw usage(read.message, read.hint === undefined ? {} : { hint: read.hint });
}

const example = "such as 1 2 3 7 * 30 ?";

/** The policy that a list of days means, or the first thing that is wrong with it. */
export function readPolicy(text: string, name: string): Policy | PolicyProblem {
  const steps: Step[] = [];
  for (const { 0: word, index } of text.matchAll(/\S+/g)) {
    const last = steps.at(-1);
    if (word === "*" || word === "?") {
      const found = `found ${word}`;
      if (last === undefined)
        return { index, message: `expected a number of days first, ${found}`, hint: example };
      if (last.repeat !== "no")
        return { index, message: `expected a number of days or the end, ${found}`, hint: example };
      steps[steps.length - 1] = { ...last, repeat: word === "*" ? "always" : "exists" };
      continue;
    }
    if (!/^[1-9]\d{0,5}$/.test(word)) return wrongWord(word, index);
    const days = Number(word);
    if (last !== undefined && days <= last.days) {
      const message = `expected a number greater than ${last.days}, found ${days}`;
      return { index, message, hint: "ages in days, the smallest first" };
    }
    steps.push({ days, repeat: "no" });
  }
  if (steps.length === 0)
    return {
      index: 0,
      message: `expected ages in days, ${example}, found nothing`,
      hint: "to keep no old version, use the policy none",
    };
  return { name, keeps: "some", steps };
}

function wrongWord(word: string, index: number): PolicyProblem {
  const shown = JSON.stringify(word.length > 40 ? `${word.slice(0, 40)}…` : word);
  const message = `expected an age in whole days (1 or more), * or ?, found ${shown}`;
  if (/^\d+[*?,]|^[*?]./.test(word))
    return { index, message, hint: `put spaces between them, ${example}` };
  return { index, message };
}
