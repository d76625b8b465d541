import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { systemCode } from "../../lib/errors.ts";

/** Wrong usage, or a directory that isn't ours: nothing was changed. */
export class Refusal extends Error {}

/** The quickstart's own directory and what is where in it. */
export interface Place {
  readonly root: string;
  readonly config: string;
  readonly state: string;
  readonly store: string;
  readonly sample: string;
  /** Where the sample is restored to. */
  readonly restored: string;
  readonly rcloneConf: string;
  readonly password: string;
}

const marker = ".rclone-backups-quickstart";

/**
 * Makes the quickstart's directory or takes an earlier one's.
 * @throws Refusal if it holds anything else, or if the user's source lies inside it.
 */
export function preparePlace(directory: string, source: string | undefined): Place {
  const entries = entriesOf(directory);
  if (entries !== undefined && entries.length > 0 && !entries.includes(marker)) {
    throw new Refusal(
      `${directory} isn't empty and no earlier quickstart made it: name an empty one with --dir`,
    );
  }
  if (/[\n\r]/.test(directory) || directory !== directory.trim()) {
    throw new Refusal(
      "the quickstart's directory must not have a line break, or a space at its end, in its name",
    );
  }
  if (source !== undefined && entries !== undefined && isWithin(directory, source)) {
    throw new Refusal(`${source} lies in the quickstart's own directory: name one of yours`);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const root = realpathSync(directory);
  // First of all, so that a run that is killed can be repeated.
  writeWhole(
    path.join(root, marker),
    "Made by npm run quickstart. Delete the whole directory at will.\n",
  );
  const at = (name: string): string => path.join(root, name);
  for (const name of ["config", "state", "store"]) mkdirSync(at(name), { recursive: true });
  return {
    root,
    config: at("config"),
    state: at("state"),
    store: at("store"),
    sample: at("sample"),
    restored: at("restored"),
    rcloneConf: at("rclone.conf"),
    password: at("password.txt"),
  };
}

function entriesOf(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    if (systemCode(cause) === "ENOTDIR") {
      throw new Refusal(`${directory} is not a directory`, { cause });
    }
    throw cause;
  }
}

/** Whether `inner` is `outer` or lies below it, symlinks resolved. Both must exist. */
export function isWithin(outer: string, inner: string): boolean {
  const relative = path.relative(realpathSync(outer), realpathSync(inner));
  return relative === "" || (relative !== ".." && !relative.startsWith("../"));
}

/** Writes a file for the owner alone, whole or not at all. */
export function writeWhole(file: string, text: string): void {
  const temporary = `${file}.tmp`;
  rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}

/** Whether something is at this path. */
export function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
