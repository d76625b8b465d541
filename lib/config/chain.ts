import { realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Failure } from "../errors.ts";
import type { FindOptions } from "./find.ts";
import { configDirs, look } from "./find.ts";
import { interpolate } from "./interpolate.ts";
import { keys } from "./definition.ts";
import type { Override } from "./overrides.ts";
import type { Entry, ParsedFile } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { columnAt, placeText, quoted } from "./problem.ts";
import { readConfig } from "./read.ts";

export interface Chain {
  /** The configuration, then its parent, and so on. */
  readonly files: readonly ParsedFile[];
  /** Of all files, and of `extends` itself. */
  readonly problems: readonly Problem[];
}

/**
 * Reads a configuration and, along `extends`, its parents. `override` replaces the first file's
 * `extends`.
 * Throws a usage failure only if the first file can't be read.
 */
export async function readChain(
  file: string,
  options: FindOptions,
  override?: Override,
): Promise<Chain> {
  const files = [readConfig(file)];
  const problems: Problem[] = [...(files[0]?.problems ?? [])];
  const seen = new Set<string>();
  for (let last = files[0]; last !== undefined;) {
    const link = linkOf(last, last.file === file ? override : undefined, options, problems);
    if (link === undefined) break;
    const parent = await findParent(link.text, last.file, options);
    if (parent.file === undefined) {
      problems.push({
        where: link.where,
        message: `expected a configuration to extend, found none at ${parent.looked.join(", ")}`,
      });
      break;
    }
    if (seen.size === 0) seen.add(await realpath(file));
    const real = await realpath(parent.file);
    if (seen.has(real)) {
      const names = [...files.map((each) => each.file), parent.file].join(" → ");
      problems.push({
        where: link.where,
        message: `expected extends to come to an end, found a circle: ${names}`,
      });
      break;
    }
    seen.add(real);
    try {
      last = readConfig(parent.file);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push({
        where: link.where,
        message: `can't extend ${quoted(link.text)}: ${error.message}`,
        hint: error.hint,
      });
      break;
    }
    files.push(last);
    problems.push(...last.problems);
  }
  return { files, problems };
}

/** What a file extends, and where it says so. */
function linkOf(
  file: ParsedFile,
  override: Override | undefined,
  options: FindOptions,
  problems: Problem[],
): { text: string; where: string } | undefined {
  if (override !== undefined) return override.text === "" ? undefined : override;
  const entry = file.entries.get(keys.extends.id);
  if (entry === undefined) return undefined;
  const { text, problems: found } = interpolate(entry.text, options.env);
  problems.push(...found.map((problem) => placed(problem, entry)));
  return text === "" || found.length > 0 ? undefined : { text, where: placeText(entry.valuePlace) };
}

/** A problem inside an entry's value, with its place in the file. */
export function placed(
  problem: { index: number; message: string; hint?: string | undefined },
  entry: Entry,
): Problem {
  const column = entry.valuePlace.column + columnAt(entry.text, problem.index) - 1;
  return {
    where: placeText({ ...entry.valuePlace, column }),
    message: problem.message,
    hint: problem.hint,
  };
}

async function findParent(
  text: string,
  from: string,
  options: FindOptions,
): Promise<{ file: string | undefined; looked: readonly string[] }> {
  const dir = dirname(from);
  const name = text.endsWith(".conf") ? text : `${text}.conf`;
  const candidates = text.includes("/")
    ? [resolve(dir, text)]
    : [...new Set([dir, ...configDirs(options)])].map((each) => join(each, name));
  for (const candidate of candidates) {
    if ((await look(candidate)) === "there") return { file: candidate, looked: [] };
  }
  return { file: undefined, looked: candidates };
}
