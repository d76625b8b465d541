import { suggest } from "../units/suggest.ts";
import {
  allKeys,
  findKey,
  findSection,
  keyNames,
  reservedEnvironment,
  sections,
} from "./definition.ts";
import type { Environment } from "./interpolate.ts";
import type { Key } from "./keys.ts";
import { environmentName } from "./keys.ts";
import type { Problem } from "./problem.ts";
import { policyNameProblem } from "./policyline.ts";
import { didYouMean, quoted } from "./problem.ts";
import { isLiteral } from "./secret.ts";

/** A value from outside the files. It is taken as it is: the shell has read it already. */
export interface Override {
  readonly key: Key<unknown>;
  readonly text: string;
  /** `environment NAME` or `--set`. */
  readonly origin: string;
  /** For messages. */
  readonly where: string;
}

/** A policy from outside the files. */
export type PolicyOverride = Omit<Override, "key">;

export interface Overrides {
  readonly values: ReadonlyMap<string, Override>;
  /** By the policy's name. */
  readonly policies: ReadonlyMap<string, PolicyOverride>;
  readonly problems: readonly Problem[];
}

const prefix = "RCLONE_BACKUPS_";

/** The overrides of `--set section.key=value` and, below them, of RCLONE_BACKUPS_SECTION_KEY. */
export function readOverrides(env: Environment, set: readonly string[]): Overrides {
  const overrides: Found = { values: new Map(), policies: new Map(), problems: [] };
  readEnvironment(env, overrides);
  for (const text of set) readSet(text, overrides);
  return overrides;
}

interface Found extends Overrides {
  readonly values: Map<string, Override>;
  readonly policies: Map<string, PolicyOverride>;
  readonly problems: Problem[];
}

const retentionHint = "the lines of [retention] are in the file and can't be set";
const policyPrefix = `${prefix}POLICIES_`;

const byName = new Map(allKeys.map((key) => [environmentName(key), key]));

function readEnvironment(env: Environment, { values, policies, problems }: Found): void {
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith(prefix) || reservedEnvironment.includes(name))
      continue;
    const key = byName.get(name);
    const where = `environment ${name}`;
    if (key !== undefined) {
      values.set(key.id, { key, text, origin: where, where });
      continue;
    }
    if (name.startsWith(policyPrefix)) {
      const policy = name.slice(policyPrefix.length).toLowerCase();
      const problem = policyNameProblem(policy);
      if (problem === undefined) policies.set(policy, { text, origin: where, where });
      else problems.push({ where, ...problem });
      continue;
    }
    const near = suggest(
      name,
      [...byName.keys(), ...reservedEnvironment].filter((known) => nearEnough(name, known)),
    );
    problems.push({
      where,
      message: `expected ${prefix}SECTION_KEY with a known section and key, found another name`,
      hint: name.startsWith(`${prefix}RETENTION_`)
        ? retentionHint
        : (didYouMean(near) ?? "unset it"),
    });
  }
}

/** The common prefix is long, so that every name would be near every other: it doesn't count. */
function nearEnough(name: string, known: string): boolean {
  return suggest(name.slice(prefix.length), [known.slice(prefix.length)]) !== undefined;
}

function readSet(text: string, { values, policies, problems }: Found): void {
  const equals = text.indexOf("=");
  if (equals < 0) {
    // The text isn't shown: it may be a secret that lost its key.
    problems.push({
      where: "--set",
      message: "expected section.key=value, found no =",
      hint: "--set rclone.transfers=8",
    });
    return;
  }
  const id = text.slice(0, equals).trim();
  const where = `--set ${id}`;
  const dot = id.indexOf(".");
  const section = id.slice(0, Math.max(dot, 0));
  const name = id.slice(dot + 1);
  const value = text.slice(equals + 1);
  if (findSection(section)?.holds === "policies") {
    const problem = policyNameProblem(name);
    if (problem === undefined) policies.set(name, { text: value, origin: "--set", where });
    else problems.push({ where, ...problem });
    return;
  }
  const key = findKey(section, name);
  if (key === undefined) {
    problems.push({
      where: "--set",
      message: `expected section.key=value with a known key, found ${quoted(id)}`,
      hint: hintFor(section, name, id),
    });
    return;
  }
  if (key.kind.secret === true && value !== "" && isLiteral(value)) {
    problems.push({
      where,
      message: "expected file:PATH or command:CMD, found the secret itself",
      hint: "every user of the machine can see a program's arguments",
    });
    return;
  }
  values.set(key.id, { key, text: value, origin: "--set", where });
}

function hintFor(section: string, name: string, id: string): string {
  const holds = findSection(section)?.holds;
  if (holds === "rules") return "filter rules are lines of the file and can't be set";
  if (holds === "retention") return retentionHint;
  const home = allKeys.find((key) => key.name === name);
  if (home !== undefined) return `did you mean ${home.id}?`;
  const near =
    suggest(
      id,
      allKeys.map((key) => key.id),
    ) ??
    suggest(
      name,
      allKeys.map((key) => key.name),
    );
  const known =
    findSection(section) === undefined ? sections.map((each) => each.name) : keyNames(section);
  return didYouMean(near) ?? `known: ${known.join(", ")}`;
}
