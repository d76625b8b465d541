import { readFile } from "node:fs/promises";
import { minimatch } from "minimatch";
import { failed, systemCode } from "../errors.ts";
import { problemsFailure, quoted, type Problem } from "../config/problem.ts";
import { decodeText } from "../config/text.ts";
import { parseDuration } from "../units/duration.ts";

/** How a collection is read. */
export type ReadMode =
  | { readonly kind: "full" }
  /** Documents never change: of known ones the ids alone are read. */
  | { readonly kind: "write-once" }
  /** Whoever changes a document sets the field, a date, to the time. */
  | { readonly kind: "timestamp"; readonly field: string; readonly overlapSeconds: number };

export interface ReadRule {
  readonly pattern: string;
  readonly mode: ReadMode;
}

const example = "shop.events = write-once";
const defaultOverlap = 3600;
const section = "[collections]";

/** Reads a file of rules. Throws usage() with file and line, failed() where it can't be read. */
export async function readRules(file: string): Promise<readonly ReadRule[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw failed(`cannot read ${file} (${systemCode(cause) ?? String(cause)})`, { cause });
  }
  return parseRules(decodeText(bytes, file), file);
}

/** The rules of a text: below `[collections]`, `DATABASE.COLLECTION = MODE` a line. Throws usage(). */
export function parseRules(text: string, file: string): readonly ReadRule[] {
  const rules: ReadRule[] = [];
  const problems: Problem[] = [];
  let inSection = false;
  for (const [at, whole] of text.split("\n").entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith(";") || line.startsWith("#")) continue;
    const where = `${file}:${at + 1}`;
    if (line.startsWith("[")) {
      inSection = line === section;
      if (!inSection)
        problems.push({ where, message: `expected ${section}, found ${quoted(line)}` });
      continue;
    }
    if (!inSection) {
      problems.push({ where, message: `expected ${section} before the first rule, found a line` });
      continue;
    }
    const rule = readRule(line);
    if ("message" in rule) problems.push({ where, ...rule });
    else rules.push(rule);
  }
  if (problems.length > 0) throw problemsFailure(problems);
  return rules;
}

/** How a collection is read: as the first rule says that matches, else all of it. */
export function modeOf(rules: readonly ReadRule[], database: string, collection: string): ReadMode {
  const rule = rules.find(({ pattern }) => matchesName(pattern, database, collection));
  return rule?.mode ?? { kind: "full" };
}

/** Whether a glob means this collection; `/` is a character like others in its name. */
export function matchesName(pattern: string, database: string, collection: string): boolean {
  return minimatch(plain(`${database}.${collection}`), plain(pattern), {
    dot: true,
    nocomment: true,
    nonegate: true,
  });
}

function plain(text: string): string {
  return text.replaceAll("/", "\u2215");
}

function readRule(line: string): ReadRule | { message: string; hint: string } {
  const split = line.lastIndexOf(" = ");
  if (split < 0)
    return {
      message: "expected DATABASE.COLLECTION = MODE, found no = with a space on each side",
      hint: example,
    };
  const pattern = line.slice(0, split).trim();
  const value = line.slice(split + 3).trim();
  if (!pattern.includes("."))
    return {
      message: `expected DATABASE.COLLECTION, found ${quoted(pattern)}`,
      hint: example,
    };
  if (value === "full" || value === "write-once") return { pattern, mode: { kind: value } };
  const match = /^timestamp\s+([^\s.$][^\s.]*)(?:\s+overlap\s+(\S+))?$/.exec(value);
  const field = match?.[1];
  if (field === undefined)
    return {
      message: `expected full, write-once or timestamp FIELD [overlap TIME], found ${quoted(value)}`,
      hint: "shop.orders = timestamp updated_at; the field is one at the top of the document and holds a date",
    };
  try {
    const overlapSeconds = match?.[2] === undefined ? defaultOverlap : parseDuration(match[2]);
    return { pattern, mode: { kind: "timestamp", field, overlapSeconds } };
  } catch {
    return {
      message: `expected a duration such as 1h behind overlap, found ${quoted(match?.[2] ?? "")}`,
      hint: "shop.orders = timestamp updated_at overlap 2h",
    };
  }
}
