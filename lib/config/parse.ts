import { suggest } from "../units/suggest.ts";
import type { Section } from "./definition.ts";
import { allKeys, findKey, findSection, keyNames, sections } from "./definition.ts";
import type { Key } from "./keys.ts";
import type { PolicyLine, RetentionEntry } from "./policyline.ts";
import { readPolicyLine, readRetentionLine } from "./policyline.ts";
import type { Place, Problem } from "./problem.ts";
import { columnAt, didYouMean, placeText, quoted } from "./problem.ts";
import { ruleProblem } from "./rule.ts";
import { readValue } from "./value.ts";

/** `key = value` as it stands in a file. */
export interface Entry {
  readonly key: Key<unknown>;
  /** Without comment and quotes; nothing is put in for `${NAME}` yet. */
  readonly text: string;
  readonly place: Place;
  readonly valuePlace: Place;
}

/** A line of a filter section, byte for byte. */
export interface Rule {
  readonly section: string;
  readonly text: string;
  readonly place: Place;
}

export interface ParsedFile {
  readonly file: string;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly rules: readonly Rule[];
  /** By name. */
  readonly policies: ReadonlyMap<string, PolicyLine>;
  readonly retention: readonly RetentionEntry[];
  /** Where each section begins. */
  readonly headers: ReadonlyMap<string, Place>;
  readonly problems: readonly Problem[];
}

/** Below a header that is wrong, nothing more is complained of. */
type Current = Section | "none yet" | "unknown";

/** Reads a configuration's text. Never throws: what is wrong is in `problems`, in order. */
export function parseText(text: string, file: string): ParsedFile {
  const entries = new Map<string, Entry>();
  const rules: Rule[] = [];
  const policies = new Map<string, PolicyLine>();
  const retention: RetentionEntry[] = [];
  const headers = new Map<string, Place>();
  const problems: Problem[] = [];
  let current: Current = "none yet";

  const complain = (place: Place, message: string, hint?: string): void => {
    problems.push({ where: placeText(place), message, hint });
  };

  const readHeader = (name: string, place: Place): Current => {
    const section = findSection(name);
    if (section === undefined) {
      const known = sections.map((candidate) => candidate.name);
      const near = suggest(name, known);
      const hint =
        near === undefined ? `known sections: ${known.join(", ")}` : `did you mean [${near}]?`;
      complain(place, `expected a known section, found [${name}]`, hint);
      return "unknown";
    }
    const first = headers.get(name);
    if (first === undefined) headers.set(name, place);
    else {
      complain(
        place,
        `expected each section once, found [${name}] again`,
        `it begins at line ${first.line}; put both together`,
      );
    }
    return section;
  };

  const readEntry = (line: string, place: Place): void => {
    const equals = line.indexOf("=");
    if (equals < 0) {
      const word = /^\s*([\w-]+)/.exec(line)?.[1] ?? "";
      const section = typeof current === "object" ? current.name : "default";
      const near = suggest(word, keyNames(section));
      // The line may be the rest of a secret: it isn't shown.
      complain(
        place,
        "expected key = value, found a line without =",
        near === undefined ? undefined : `${near} = …`,
      );
      return;
    }
    const name = line.slice(0, equals).trim();
    // An indented line may be meant to continue a secret.
    const shown =
      /^\s/.test(line) && !allKeys.some((key) => key.name === name)
        ? "an unknown one"
        : quoted(name);
    if (typeof current === "string") {
      const home = allKeys.find((key) => key.name === name)?.section ?? "default";
      complain(
        place,
        `expected a [section] before the first key, found ${shown}`,
        `write [${home}] above it`,
      );
      return;
    }
    const key = findKey(current.name, name);
    if (key === undefined) {
      complain(
        place,
        `expected a key of [${current.name}], found ${shown}`,
        hintForKey(current.name, name),
      );
      return;
    }
    const first = entries.get(key.id);
    if (first !== undefined) {
      complain(
        place,
        `expected each key once, found ${quoted(name)} again`,
        `it is set at line ${first.place.line}`,
      );
      return;
    }
    const value = readValue(line.slice(equals + 1));
    const valuePlace = { ...place, column: columnAt(line, equals + 1 + value.offset) };
    if (value.problem === undefined && !value.text.includes("\0")) {
      entries.set(key.id, { key, text: value.text, place, valuePlace });
    } else {
      const { message, hint } = value.problem ?? {
        message: "expected text, found a NUL character",
        hint: undefined,
      };
      complain(valuePlace, message, hint);
    }
  };

  const readPolicy = (line: string, place: Place): void => {
    const policy = readPolicyLine(line, place);
    if ("message" in policy) {
      complain(policy.place, policy.message, policy.hint);
      return;
    }
    const first = policies.get(policy.name);
    if (first === undefined) policies.set(policy.name, policy);
    else {
      const message = `expected each policy once, found ${policy.name} again`;
      complain(place, message, `it is defined at line ${first.place.line}`);
    }
  };

  const readRetention = (line: string, place: Place): void => {
    const entry = readRetentionLine(line, place);
    if ("message" in entry) complain(entry.place, entry.message, entry.hint);
    else retention.push(entry);
  };

  const readRule = (section: string, line: string, place: Place): void => {
    const problem = ruleProblem(line, section);
    if (problem === undefined) rules.push({ section, text: line, place });
    else complain(place, problem.message, problem.hint);
  };

  const lines = text.split("\n");
  for (const [index, whole] of lines.entries()) {
    // A CR is part of the line's end only before a LF.
    const line = whole.endsWith("\r") && index < lines.length - 1 ? whole.slice(0, -1) : whole;
    const start = line.search(/\S/);
    if (start < 0 || line[start] === ";" || line[start] === "#") continue;
    const place = { file, line: index + 1, column: columnAt(line, start) };
    const holds = typeof current === "object" ? current.holds : "keys";
    const header = /^\s*\[\s*([^\]]*?)\s*\]\s*(?:[;#].*)?$/.exec(line);
    if (header?.[1] !== undefined) {
      current = readHeader(header[1], place);
    } else if (line[start] === "[" && holds !== "rules" && holds !== "retention") {
      complain(
        place,
        "expected [section], found a line that begins with [",
        "close it with ], and put comments behind ;",
      );
      current = "unknown";
    } else if (current === "unknown") {
      continue;
    } else if (typeof current === "object" && holds === "rules") {
      readRule(current.name, line, place);
    } else if (holds === "policies") {
      readPolicy(line, place);
    } else if (holds === "retention") {
      readRetention(line, place);
    } else {
      readEntry(line, place);
    }
  }
  return { file, entries, rules, policies, retention, headers, problems };
}

function hintForKey(section: string, name: string): string {
  const elsewhere = allKeys.find((key) => key.name === name);
  if (elsewhere !== undefined) return `${name} belongs in [${elsewhere.section}]`;
  return (
    didYouMean(suggest(name, keyNames(section))) ?? `known keys: ${keyNames(section).join(", ")}`
  );
}
