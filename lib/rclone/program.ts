import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { failed, usage } from "../errors.ts";
import { runRclone, type Rclone } from "./run.ts";

/** What this rclone can do; probed once, so that everything else asks by name. */
export interface Features {
  readonly version: string;
  /** lsf --time-format: times finer than a second. Since 1.66. */
  readonly fineTimes: boolean;
  /** Writes to a temporary name first unless --inplace is given. Since 1.63. */
  readonly inPlace?: boolean;
}

/** The oldest rclone that the suite is tested with. */
const oldest = [1, 60, 0] as const;

/**
 * Finds the program on the PATH (or takes the path given).
 * Throws a failed failure that says how to get rclone when there is none.
 */
export async function findProgram(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const candidates = program.includes("/")
    ? [resolve(program)]
    : (env["PATH"] ?? "")
        .split(delimiter)
        .map((directory) => join(directory === "" ? "." : directory, program));
  let barred: string | undefined;
  for (const candidate of candidates) {
    if (await isProgram(candidate)) return candidate;
    if (await isFile(candidate)) barred ??= candidate;
  }
  throw failed(
    `rclone: expected a program ${program}${program.includes("/") ? "" : " on the PATH"}, found ${barred === undefined ? "none" : `only a file that we may not execute: ${barred}`}`,
    {
      hint: "install rclone (https://rclone.org/install/), or name it in [rclone] program",
    },
  );
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
  } catch {
    return false;
  }
  return isFile(path);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Asks rclone for its version. Throws when it is too old or no rclone at all. */
export async function probe(rclone: Rclone, signal?: AbortSignal): Promise<Features> {
  const lines: string[] = [];
  let told: string | undefined;
  const { code } = await runRclone(
    { ...rclone, common: [] },
    {
      args: ["version"],
      signal,
      // One line is what is looked for; something that is no rclone may print without end.
      onLine: (line) => {
        if (lines.length === 0) lines.push(line);
      },
      onLog: ({ message }) => (told = message),
    },
  );
  const match = /^rclone v(\d+)\.(\d+)\.(\d+)/.exec(lines[0] ?? "");
  if (code !== 0 || match === null) {
    throw failed(
      `${rclone.program}: expected rclone to tell its version, found ${lines[0] === undefined ? "no output" : `“${lines[0].slice(0, 60)}”`} and exit code ${code}${told === undefined ? "" : `: ${told.slice(0, 200)}`}`,
      { hint: "is this program rclone? [rclone] program and the PATH say which one is run" },
    );
  }
  return featuresOf(rclone.program, match.slice(1, 4).join("."));
}

/** What an rclone of a version such as `1.60.1` can do. Throws when it is too old. */
export function featuresOf(program: string, version: string): Features {
  const parts = version.split(".").map(Number);
  if (compare(parts, oldest) < 0) {
    throw usage(
      `${program}: expected rclone ${oldest.join(".")} or newer, found ${parts.join(".")}`,
      {
        hint: "install a newer rclone (https://rclone.org/install/), or name one in [rclone] program",
      },
    );
  }
  return {
    version: parts.join("."),
    fineTimes: compare(parts, [1, 66, 0]) >= 0,
    inPlace: compare(parts, [1, 63, 0]) >= 0,
  };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [at, part] of a.entries()) {
    const difference = part - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
