import { readFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import * as v from "valibot";
import { systemCode } from "../errors.ts";
import { writeAtomically } from "./atomic.ts";

export interface ReadJson<T> {
  /** Undefined where the file is missing or damaged. */
  readonly value: T | undefined;
  /** Where a damaged file is now: set aside, or still in its place. */
  readonly damaged: string | undefined;
}

/**
 * Reads a file of our own state. A damaged one is told, never taken for a missing one without a word,
 * and set aside if the caller may change anything. Throws when it exists and can't be read.
 */
export async function readJson<T>(
  file: string,
  schema: v.GenericSchema<unknown, T>,
  options: { readonly setAside: boolean },
): Promise<ReadJson<T>> {
  let text: string;
  try {
    // A status reads hundreds of these small files: waiting for each would cost more than reading it.
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { value: undefined, damaged: undefined };
    throw error;
  }
  const value = parseJson(text, schema);
  if (value !== undefined) return { value, damaged: undefined };
  if (!options.setAside) return { value: undefined, damaged: file };
  const damaged = `${file}.damaged`;
  await rename(file, damaged);
  return { value: undefined, damaged };
}

/** The value that a text holds; undefined where it is not JSON, or JSON of another shape. */
export function parseJson<T>(text: string, schema: v.GenericSchema<unknown, T>): T | undefined {
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a file of state: a temporary name, synced, renamed. Throws failed(). */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
