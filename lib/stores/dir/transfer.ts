import { join } from "node:path";
import type { Entry } from "../../manifest/entry.ts";
import { writeScratch } from "../../process/scratchfile.ts";
import { LineSpool } from "../../process/spool.ts";
import { onlyRules } from "../../rclone/exact.ts";
import { rulesText } from "../../rclone/filters.ts";
import { copyExactArgs, moveBackArgs, removeEmptyArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import {
  asGoWrites,
  isUtf8,
  rawFromBytes,
  textFromRaw,
  type RawPath,
} from "../../units/rawpath.ts";
import { below, type DirContext } from "./context.ts";
import { listExactly } from "./listplace.ts";

/** Files that could not be moved or copied, and why. */
export type Failures = ReadonlyMap<RawPath, string>;

/** For so many files that fail it is looked whether an empty directory is in their way: each takes a start of rclone. */
const mostCleared = 100;

/**
 * Moves files of the destination to a run's directory; with `emptying`, directories that hold nothing
 * then go, too. Returns those that are still there.
 */
export async function moveAside(
  context: DirContext,
  run: string,
  names: readonly RawPath[],
  emptying: boolean,
): Promise<Failures> {
  if (names.length === 0) return new Map();
  const ends = { from: context.destination, to: below(context.history, run) };
  const told = await transfer(context, names, (filesFrom) => [
    ...moveBackArgs({ ...ends, filesFrom }, context.tuning),
    ...(emptying ? ["--delete-empty-src-dirs"] : []),
  ]);
  if (told.isSure) return new Map();
  const there = await present(context, names);
  return reasons(
    told,
    "move",
    names.filter((name) => there.has(name)),
  );
}

/**
 * Copies files of a run's directory to the destination, where nothing has their names, each by itself:
 * one that can't be copied holds up no other. Returns those that are not there then.
 */
export async function copyBack(
  context: DirContext,
  run: string,
  sizes: ReadonlyMap<RawPath, number>,
): Promise<Failures> {
  const ends = { from: below(context.history, run), to: context.destination };
  const copy = async (names: readonly RawPath[]): Promise<Told> =>
    transfer(context, names, (filesFrom) => [
      ...copyExactArgs({ ...ends, filesFrom }, context.tuning),
      // Else those that it did copy are copied again.
      ...["--retries", "1"],
    ]);
  const missing = async (names: readonly RawPath[]): Promise<RawPath[]> => {
    const there = await present(context, names);
    return names.filter((name) => {
      const size = sizes.get(name) ?? -1;
      return !there.has(name) || (size >= 0 && there.get(name)?.size !== size);
    });
  };
  const names = [...sizes.keys()];
  const first = await copy(names);
  if (first.isSure) return new Map();
  const left = await missing(names);
  if (left.length === 0) return new Map();
  for (const name of left.slice(0, mostCleared)) await removeEmpty(context, name);
  const second = await copy(left);
  return second.isSure ? new Map() : reasons(second, "copy", await missing(left));
}

/**
 * Removes an empty directory that has the name of a file to come; one that holds a file stays. Where the name is not
 * UTF-8, empty ones that look alike may go with it.
 */
export async function removeEmpty(
  context: Pick<DirContext, "rclone" | "destination" | "tuning" | "scratch" | "signal">,
  name: RawPath,
): Promise<void> {
  const { place, rest } = reachable(name);
  const location = place === "" ? context.destination : below(context.destination, place);
  let filterFile: string | undefined;
  if (rest !== "") {
    filterFile = join(context.scratch, "empty.rules");
    await writeScratch(filterFile, rulesText(onlyRules(rest, true, false)));
  }
  // Where there is no such directory, that is an error that says nothing.
  await runRclone(context.rclone, {
    args: removeEmptyArgs(location, context.tuning, filterFile),
    signal: context.signal,
  });
}

/** As far as an argument can name a path, which holds text only, and what is left of it. */
function reachable(path: RawPath): { place: string; rest: RawPath } {
  const segments = path.split("/");
  const end = segments.findIndex((segment) => !isUtf8(rawFromBytes(segment)));
  if (end < 0) return { place: textFromRaw(path), rest: rawFromBytes("") };
  const place = textFromRaw(rawFromBytes(segments.slice(0, end).join("/")));
  return { place, rest: rawFromBytes(segments.slice(end).join("/")) };
}

/** What rclone said of a transfer. */
interface Told {
  /** Every file was done, and nothing failed on the way. */
  readonly isSure: boolean;
  readonly lastError: string | undefined;
  /** By the name as rclone writes it. */
  readonly errors: ReadonlyMap<string, string>;
}

async function transfer(
  context: DirContext,
  names: readonly RawPath[],
  argsOf: (filesFrom: string) => string[],
): Promise<Told> {
  const list = new LineSpool(join(context.scratch, "change.list"));
  for (const name of names) list.write(name);
  list.close();
  // Not by name: the log can't tell names apart that are not UTF-8.
  let done = 0;
  const errors = new Map<string, string>();
  const { code, lastError } = await runRclone(context.rclone, {
    args: argsOf(list.file),
    signal: context.signal,
    onLog: ({ level, message, object }) => {
      if (level === "info" && /^(Moved|Copied|Multi-thread Copied)/.test(message)) done += 1;
      if (level === "error" && object !== undefined) errors.set(object, message);
    },
  });
  const isSure = code === 0 && done === names.length && lastError === undefined;
  return { isSure, lastError, errors };
}

function reasons(told: Told, how: "move" | "copy", names: readonly RawPath[]): Failures {
  const reason = (name: RawPath): string =>
    told.errors.get(asGoWrites(name)) ?? told.lastError ?? "nothing there to do it with";
  return new Map(names.map((name) => [name, `expected to ${how} it, found: ${reason(name)}`]));
}

/** Which of these names the destination has, with sizes. */
async function present(
  context: DirContext,
  names: readonly RawPath[],
): Promise<ReadonlyMap<RawPath, Entry>> {
  return listExactly(context, "present", context.destination, names);
}
