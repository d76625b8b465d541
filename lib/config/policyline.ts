import { builtInPolicies, neverHint } from "../units/policy.ts";
import { allKeys } from "./definition.ts";
import type { Place } from "./problem.ts";
import { columnAt, quoted } from "./problem.ts";
import { readValue } from "./value.ts";

/** `NAME = 1 2 3 …` of [policies]. */
export interface PolicyLine {
  readonly name: string;
  readonly text: string;
  readonly place: Place;
  readonly valuePlace: Place;
}

/** `PATTERN = POLICY` of [retention]; whether there is such a policy is not known yet. */
export interface RetentionEntry {
  /** Byte for byte. */
  readonly pattern: string;
  readonly policy: string;
  readonly place: Place;
  readonly policyPlace: Place;
}

/** What is wrong with a line, and where. */
export interface LineProblem {
  readonly place: Place;
  readonly message: string;
  readonly hint?: string;
}

const policyExample = "weekly = 7 * 365";
const retentionExample = "/photos/** = forever";

/** Why a policy can't have this name, if it can't. */
export function policyNameProblem(name: string): { message: string; hint: string } | undefined {
  if (!/^[a-z0-9_][a-z0-9_-]*$/.test(name)) {
    const message = `expected a name of lower-case letters, digits, _ and -, found ${quoted(name)}`;
    return { message, hint: policyExample };
  }
  if (name === "never") return { message: "expected another name, found never", hint: neverHint };
  // What a built-in name means must be known without looking; `default` is what the user says it is.
  if (name === "default" || !Object.hasOwn(builtInPolicies, name)) return undefined;
  const hint = "give yours another name; only default may be defined anew";
  return { message: `expected a new name, found the built-in policy ${name}`, hint };
}

/** Reads a line of [policies]; the list of days is read once it is known which one holds. */
export function readPolicyLine(line: string, place: Place): PolicyLine | LineProblem {
  const equals = line.indexOf("=");
  if (equals < 0) {
    const message = "expected NAME = DAYS … in [policies], found a line without =";
    return { place, message, hint: policyExample };
  }
  const name = line.slice(0, equals).trim();
  const key = allKeys.find((candidate) => candidate.name === name);
  if (key !== undefined) {
    // Its value may be a secret.
    const message = `expected the name of a policy, found the key ${name}`;
    return { place, message, hint: `${name} belongs in [${key.section}]` };
  }
  const problem = policyNameProblem(name);
  if (problem !== undefined) return { place, ...problem };
  const value = readValue(line.slice(equals + 1));
  const valuePlace = { ...place, column: columnAt(line, equals + 1 + value.offset) };
  if (value.problem !== undefined) return { place: valuePlace, ...value.problem };
  return { name, text: value.text, place, valuePlace };
}

/** Reads a line of [retention]: what stands before the last ` = ` is the pattern. */
export function readRetentionLine(line: string, place: Place): RetentionEntry | LineProblem {
  const expected = "expected PATTERN = POLICY in [retention]";
  if (/^\s/.test(line)) {
    const hint =
      "patterns begin in the first column; for a name that begins with space, write / first";
    return { place, message: `${expected}, found space before it`, hint };
  }
  const split = line.lastIndexOf(" = ");
  if (split < 0) {
    const found = /=\s*$/.test(line) ? "no policy" : "no = with a space on each side";
    return { place, message: `${expected}, found ${found}`, hint: retentionExample };
  }
  const pattern = line.slice(0, split);
  const problem = patternProblem(pattern);
  if (problem !== undefined)
    return {
      place: { ...place, column: columnAt(line, problem.index) },
      message: `${expected}, found ${problem.found}`,
      hint: problem.hint,
    };
  const value = readValue(line.slice(split + 2));
  const policyPlace = { ...place, column: columnAt(line, split + 2 + value.offset) };
  if (value.problem !== undefined) return { place: policyPlace, ...value.problem };
  if (value.text === "")
    return { place: policyPlace, message: `${expected}, found no policy`, hint: retentionExample };
  return { pattern, policy: value.text, place, policyPlace };
}

interface PatternProblem {
  readonly index: number;
  readonly found: string;
  readonly hint: string;
}

const longest = 4096;

/** Why nothing could ever match a pattern, or why it is surely not what was meant. */
function patternProblem(pattern: string): PatternProblem | undefined {
  if (/\s$/.test(pattern)) {
    const hint = "write one space before the =; a name that ends with a space is NAME[ ]";
    return { index: pattern.trimEnd().length, found: "more space before the =", hint };
  }
  const comment = / = [a-z0-9_-]+\s+[;#]/.exec(pattern);
  if (comment !== null) {
    const hint =
      "the last = counts, so a comment behind a line can't hold one: put it on a line above";
    return { index: comment.index, found: "two =, one of them in a comment", hint };
  }
  if (pattern.length > longest)
    return { index: 0, found: `${pattern.length} characters`, hint: "shorten it" };
  const start = /^\/*/.exec(pattern)?.[0].length ?? 0;
  let index = start;
  for (const segment of pattern.slice(start).replace(/\/$/, "").split("/")) {
    if (segment === "." || segment === ".." || (segment === "" && pattern.length > start)) {
      const found = segment === "" ? "an empty segment" : `the segment ${segment}`;
      return { index, found, hint: "paths are those of files, from the top of the backup" };
    }
    index += segment.length + 1;
  }
  return undefined;
}
