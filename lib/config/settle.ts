import { dirname, resolve } from "node:path";
import type { Chain } from "./chain.ts";
import { placed } from "./chain.ts";
import { allKeys } from "./definition.ts";
import type { Environment } from "./interpolate.ts";
import { interpolate } from "./interpolate.ts";
import type { Key } from "./keys.ts";
import type { Override } from "./overrides.ts";
import type { Entry } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { placeText } from "./problem.ts";
import { isCommand } from "./secret.ts";

/** The text that holds for a key, and where it comes from. */
export interface Settled {
  readonly key: Key<unknown>;
  /** After interpolation; a path that depends on its file is absolute. Empty: not set. */
  readonly text: string;
  /** `file:line`, `environment NAME` or `--set`. */
  readonly origin: string;
  /** For messages: with the column, too. */
  readonly where: string;
  /** The directory that a relative path starts at. */
  readonly base: string;
  /** Interpolation failed, which is a problem of its own: the text means nothing. */
  readonly spoilt?: boolean;
}

export interface Settlement {
  /** By section.key; keys that nobody set are missing. */
  readonly values: ReadonlyMap<string, Settled>;
  readonly problems: readonly Problem[];
}

/**
 * Decides for each key who sets it: the command line, the environment, the configuration, its
 * parents, in this order. Only the winner's text is interpolated and complained of.
 */
export function settle(
  chain: Chain,
  overrides: ReadonlyMap<string, Override>,
  env: Environment,
): Settlement {
  const values = new Map<string, Settled>();
  const problems: Problem[] = [];
  for (const key of allKeys) {
    const override = overrides.get(key.id);
    if (override !== undefined) {
      const base = process.cwd();
      values.set(key.id, { ...override, text: beside(key, override.text, base), base });
      continue;
    }
    const entry = nearestEntry(chain, key.id);
    if (entry !== undefined) values.set(key.id, fromEntry(entry, env, problems));
  }
  return { values, problems };
}

function nearestEntry({ files }: Chain, id: string): Entry | undefined {
  for (const { entries } of files) {
    const entry = entries.get(id);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function fromEntry(entry: Entry, env: Environment, problems: Problem[]): Settled {
  const { key, place, valuePlace } = entry;
  // A shell expands variables by itself, and after us it would read their content as commands.
  const forShell =
    key.kind.interpolated === false || (key.kind.secret === true && isCommand(entry.text));
  const { text, problems: found } = forShell
    ? { text: entry.text, problems: [] }
    : interpolate(entry.text, env);
  problems.push(...found.map((problem) => placed(problem, entry)));
  const base = dirname(place.file);
  return {
    key,
    text: beside(key, text, base),
    origin: `${place.file}:${place.line}`,
    where: placeText(valuePlace),
    base,
    spoilt: found.length > 0,
  };
}

function beside(key: Key<unknown>, text: string, base: string): string {
  const { besideFile } = key.kind;
  // A leading ~ is left for the kind to complain of.
  if (besideFile === undefined || text === "" || /^~(?:\/|$)/.test(text)) return text;
  return besideFile === "program" && !text.includes("/") ? text : resolve(base, text);
}
