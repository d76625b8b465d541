import { allKeys } from "./definition.ts";
import { quoted } from "./problem.ts";

/** What is wrong with a line of a filter section, or undefined if it is a rule. */
export function ruleProblem(
  line: string,
  section: string,
): { message: string; hint: string } | undefined {
  if (/^[+-] \s*\S/.test(line)) return undefined;
  const expected = `expected "- PATTERN" or "+ PATTERN" in [${section}]`;
  const content = line.trim();
  if (content === "!") {
    return {
      message: `${expected}, found "!"`,
      hint: "! would clear the built-in rules as well; leave it out, and write rules that should win above the others",
    };
  }
  if (/^[+-]$/.test(content))
    return { message: `${expected}, found no pattern`, hint: `${content} /cache/**` };
  if (/^\s+[+-] /.test(line)) {
    return {
      message: `${expected}, found space before it`,
      hint: "rules begin in the first column",
    };
  }
  const name = /^([\w-]+)\s*=/.exec(content)?.[1];
  const key = allKeys.find((candidate) => candidate.name === name);
  if (key !== undefined) {
    // Its value may be a secret.
    return {
      message: `${expected}, found the key ${key.name}`,
      hint: `${key.name} belongs in [${key.section}]`,
    };
  }
  if (name !== undefined)
    return {
      message: `${expected}, found ${quoted(name)} and =`,
      hint: "is a [section] missing above it?",
    };
  const sign = /^[+-]/.exec(content)?.[0] ?? "-";
  const pattern = content.replace(/^[+-]?\s*/, "");
  return { message: `${expected}, found ${quoted(line)}`, hint: `write "${sign} ${pattern}"` };
}
