import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { systemCode, usage } from "../../errors.ts";
import { isMountPoint } from "../../guard/mountinfo.ts";
import { parseLocation } from "../../rclone/location.ts";

/** A source as it is written into a configuration. */
export interface NewSource {
  readonly text: string;
  /** The mount point it is on, unless that is the root or it is remote. */
  readonly mount: string | undefined;
}

/** Throws a usage failure where there is no such directory. */
export async function checkSource(text: string, cwd: string): Promise<NewSource> {
  const location = parseLocation(text);
  if (location.kind === "remote") return { text, mount: undefined };
  const path = resolve(cwd, location.path);
  let isDirectory = false;
  try {
    isDirectory = (await stat(path)).isDirectory();
  } catch (error) {
    throw usage(
      `--source: expected a directory ${path}, found none (${systemCode(error) ?? "unknown error"})`,
      { cause: error },
    );
  }
  if (!isDirectory) throw usage(`--source: expected a directory ${path}, found a file`);
  return { text: path, mount: await mountOf(path) };
}

async function mountOf(path: string): Promise<string | undefined> {
  if (path === "/") return undefined;
  return (await isMountPoint(path)) ? path : mountOf(dirname(path));
}

/** Whether a directory that may not exist yet is on the disk of another one. */
export async function isOnDiskOf(path: string, other: string): Promise<boolean> {
  const first = await deviceOf(path);
  return first !== undefined && first === (await deviceOf(other));
}

async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev;
  } catch {
    return path === "/" ? undefined : deviceOf(dirname(path));
  }
}
