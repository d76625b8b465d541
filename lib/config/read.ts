import { readFileSync, statSync } from "node:fs";
import { systemCode, usage } from "../errors.ts";
import type { ParsedFile } from "./parse.ts";
import { parseText } from "./parse.ts";
import { decodeText } from "./text.ts";

/** More than any configuration; a path such as /dev/zero must not fill the memory. */
const largest = 16 * 1024 * 1024;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "none",
  EACCES: "one that may not be read (permission denied)",
  ENOTDIR: "a file where a directory should be",
  ELOOP: "symbolic links that go in a circle",
};

/**
 * Reads and parses one configuration file; what is wrong inside is in the result's `problems`.
 * It is synchronous, which is several times as fast with hundreds of these small files.
 * Throws a usage failure if it isn't a readable file of UTF-8 text.
 */
export function readConfig(file: string): ParsedFile {
  let bytes: Buffer;
  try {
    const status = statSync(file);
    if (!status.isFile()) {
      const found = status.isDirectory() ? "a directory" : "something else";
      throw usage(`${file}: expected a configuration file, found ${found}`);
    }
    if (status.size > largest)
      throw usage(`${file}: expected a configuration file, found one of more than 16 MiB`);
    bytes = readFileSync(file);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw usage(
      `${file}: expected a configuration file, found ${reasons[code] ?? `an error (${code})`}`,
      { cause: error },
    );
  }
  return parseText(decodeText(bytes, file), file);
}
