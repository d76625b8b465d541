import { constants } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { writeAtomically } from "./atomic.ts";
import { realpathOfMissing } from "./realpath.ts";

/** What is written where a user named a file. */
export interface Target {
  /** For a file, what links lead to: that is replaced, not the link. */
  readonly path: string;
  /** A file, there or not yet, which appears whole; else a pipe or a device, which is written to. */
  readonly isFile: boolean;
}

/** Looks at what has a name that a user gave. Throws failed() for what can't be looked at. */
export async function findTarget(file: string): Promise<Target> {
  try {
    if (!(await stat(file)).isFile()) return { path: file, isFile: false };
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw writeFailure(file, error);
  }
  return { path: realpathOfMissing(path.resolve(file)), isFile: true };
}

const { O_WRONLY, O_NONBLOCK } = constants;
const waitMs = 50;

/** Opens a pipe or a device. It waits for the reader of a named pipe. Throws failed(). */
export async function openInPlace(file: string, signal: AbortSignal): Promise<FileHandle> {
  try {
    const waiting = (await stat(file)).isFIFO() ? await openForReader(file, signal) : undefined;
    try {
      return await open(file, O_WRONLY);
    } finally {
      await waiting?.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw writeFailure(file, error);
  }
}

/** An open that waits by itself could not be interrupted. */
async function openForReader(file: string, signal: AbortSignal): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(file, O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if (systemCode(error) !== "ENXIO") throw error;
    }
    await setTimeout(waitMs, undefined, { signal });
  }
}

/**
 * Writes a text where a user named a file: a file appears whole or not at all, with this mode; a pipe or a
 * device such as /dev/stdout is written to. Throws failed().
 */
export async function writeTarget(
  file: string,
  text: string,
  mode: number,
  signal: AbortSignal,
): Promise<void> {
  const target = await findTarget(file);
  if (target.isFile) return writeAtomically(target.path, text, mode);
  const handle = await openInPlace(target.path, signal);
  try {
    await handle.writeFile(text);
  } catch (error) {
    throw writeFailure(file, error);
  } finally {
    await handle.close();
  }
}
