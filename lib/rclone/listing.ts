import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { Failure, failed } from "../errors.ts";
import { sortLines, sortOutput } from "../process/sort.ts";
import { anyFileArgs, listArgs, type ListIntent, type Tuning } from "./argv.ts";
import type { Features } from "./program.ts";
import type { LogRecord } from "./log.ts";
import { runRclone, type Rclone } from "./run.ts";

/** A listing of files, spooled to disk and sorted by path. */
export interface Listing {
  readonly file: string;
  /** False when some directory could not be read: what is not in it may exist all the same. */
  readonly complete: boolean;
  /** What could not be read, with rclone's reason. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

export interface ListRequest extends ListIntent {
  /** Where the sorted listing is written. */
  readonly output: string;
  readonly scratch: string;
  /** Leading bytes of each path that don't count for the order. */
  readonly sortFrom?: number;
  /** Changes rclone's lines on their way. */
  readonly through?: (output: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** What is listed, for messages: "source" or "destination". */
  readonly what: string;
}

/** Thrown when the directory or bucket to list does not exist. */
export class LocationMissing extends Failure {}

/** rclone's exit code when the directory itself does not exist. */
const notFound = 3;

/**
 * Lists a location through rclone into a sorted file of `path TAB size TAB time` lines.
 * Our memory does not grow with it.
 * Throws when the location as a whole can't be listed: a failed listing is never an empty one.
 */
export async function listFiles(
  rclone: Rclone,
  features: Features,
  tuning: Tuning,
  request: ListRequest,
): Promise<Listing> {
  const first = await listOnce(rclone, features, tuning, request);
  if (!first.vanished) return first.listing;
  // A directory that went away meanwhile is nothing strange, and most likely does not do so again.
  return (await listOnce(rclone, features, tuning, request)).listing;
}

interface Attempt {
  readonly listing: Listing;
  /** Some directory was gone before it could be read. */
  readonly vanished: boolean;
}

async function listOnce(
  rclone: Rclone,
  features: Features,
  tuning: Tuning,
  request: ListRequest,
): Promise<Attempt> {
  const { output, scratch, sortFrom: from, through, signal, what } = request;
  const unreadable: { path: string; reason: string }[] = [];
  const call = {
    args: listArgs(request, tuning, features),
    signal,
    onLog: (record: LogRecord) => {
      if (record.level === "error" && record.object !== undefined && record.object !== "") {
        unreadable.push({ path: record.object, reason: record.message });
      }
    },
  };
  const order = { from, signal };
  const { code, lastError } =
    through === undefined
      ? await sortOutput(output, scratch, order, async (sink) =>
          runRclone(rclone, { ...call, stdoutTo: sink }),
        )
      : await runRclone(rclone, {
          ...call,
          takeOutput: async (told: Readable) => sortLines(through(told), output, scratch, order),
        });
  const told = lastError ?? "no message";
  const nothing = unreadable.length === 0 && (await stat(output)).size === 0;
  if (code === notFound && nothing)
    throw new LocationMissing("failed", `${what}: expected a directory, found none (${told})`);
  if (code !== 0 && code !== notFound && unreadable.length === 0) {
    throw failed(`${what}: expected a listing, found rclone exit code ${code}: ${told}`);
  }
  if (code !== 0 && unreadable.length === 0) unreadable.push({ path: "(somewhere)", reason: told });
  const listing = { file: output, complete: code === 0 && unreadable.length === 0, unreadable };
  return { listing, vanished: code === notFound };
}

/** Whether there is anything below a location. */
export type Top = "missing" | "empty" | "files";

/** What a first look at a location found. */
export interface FirstLook {
  readonly top: Top;
  /** The first file that was found, if there was any. */
  readonly file?: string | undefined;
}

/**
 * Looks whether a location holds any file that can be read there; one is enough, so a wide
 * directory is not listed to its end. Directories alone are nothing: a disk made anew has some.
 * `missing` when there is no such directory or bucket.
 */
export async function lookForFiles(
  rclone: Rclone,
  location: string,
  tuning: Tuning,
  signal?: AbortSignal,
): Promise<FirstLook> {
  const enough = new AbortController();
  const both = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
  let file: string | undefined;
  try {
    const { code, lastError } = await runRclone(rclone, {
      args: anyFileArgs(location, tuning),
      signal: both,
      onLine: (line) => {
        file ??= line;
        enough.abort();
      },
    });
    if (file !== undefined) return { top: "files", file };
    if (code === notFound) return { top: "missing" };
    if (code !== 0)
      throw failed(
        `destination: expected a listing, found rclone exit code ${code}: ${lastError ?? "no message"}`,
      );
    return { top: "empty" };
  } catch (error) {
    if (file !== undefined && signal?.aborted !== true) return { top: "files", file };
    throw error;
  }
}
