import { chmod, lstat, mkdir } from "node:fs/promises";
import { openHash, openRunningHash, type HashBytes } from "../chunks/hash.ts";
import { completeJournal } from "../chunks/complete.ts";
import { dropStaged, journalIsOpen } from "../chunks/journal.ts";
import { lockSet } from "../chunks/lock.ts";
import { listSet, setPlace, type SetPlace } from "../chunks/place.ts";
import { planReplacement, replaceSet, type Replacement } from "../chunks/replace.ts";
import { openSet } from "../chunks/set.ts";
import { Stager } from "../chunks/stage.ts";
import { Staging } from "../chunks/staging.ts";
import type { DumpKind, DumpScanner } from "../dumps/scanner.ts";
import { failed, refused, systemCode } from "../errors.ts";
import type { Lock } from "../state/lock.ts";
import type { Events } from "../units/events.ts";
import { expectNothingHidden, expectSameOrigin } from "./split/belonging.ts";
import { ChunkBook } from "./split/book.ts";
import { cutDump } from "./split/cutting.ts";
import type { DumpInput } from "./split/input.ts";
import { splitProgress } from "./split/progress.ts";

export interface SplitOptions {
  /** Where the files go: a directory of their own. */
  readonly directory: string;
  /** The size that chunks should have, in bytes. */
  readonly chunkSize: number;
  readonly dryRun: boolean;
  /** Whether the dump may take the place of one of something else. */
  readonly replace: boolean;
  /** Named to others who wait for the lock. */
  readonly command: string;
}

export interface SplitWorld {
  readonly signal: AbortSignal;
  readonly events: Events;
  readonly now: () => Date;
}

export interface SplitResult extends Replacement {
  readonly kind: DumpKind;
  readonly bytes: number;
  readonly dryRun: boolean;
}

/**
 * Hands the dump to `split`, and throws if it was not made to its end: then nothing is committed. What
 * it is given may be read only within the call.
 */
export type BringDump = (split: (input: DumpInput) => Promise<void>) => Promise<void>;

/**
 * Splits a dump into the files of a directory. Those whose bytes are what they were are not touched;
 * the others are staged, and take their places together once the dump has come to its end.
 * Throws refused() where the directory holds something else, a dump of something else, or one with all that
 * the server may have hidden this time; skipped() while another run is at it.
 */
export async function splitDump(
  scanner: DumpScanner,
  bring: BringDump,
  options: SplitOptions,
  world: SplitWorld,
): Promise<SplitResult> {
  const place = setPlace(options.directory);
  // Before anything is made there.
  const before = await listSet(place);
  if (options.dryRun && before === undefined) return split(place, scanner, bring, options, world);
  const held = await lock(place, options, world);
  try {
    return await split(place, scanner, bring, options, world);
  } finally {
    await held?.release();
  }
}

async function split(
  place: SetPlace,
  scanner: DumpScanner,
  bring: BringDump,
  options: SplitOptions,
  { events, signal, now }: SplitWorld,
): Promise<SplitResult> {
  const { dryRun, chunkSize, replace } = options;
  const hash = await openHash();
  if (dryRun) {
    if (await journalIsOpen(place)) throw cutOff(place);
  } else {
    await completeEarlier(place, hash, events);
    await dropStaged(place);
  }
  const set = await openSet(place, hash);
  if (set.manifest === undefined && set.files.length > 0)
    events.warn(`${place.manifest}: lost or damaged: made anew from ${set.files.length} files`);
  for (const name of set.missing) events.warn(`${place.directory}/${name}: was gone: written anew`);
  const staging = new Staging(place.staged);
  const stager = new Stager(set, await openRunningHash(), dryRun ? undefined : staging);
  const book = new ChunkBook(stager);
  try {
    await bring(async (input) =>
      cutDump(input, scanner, book, {
        target: chunkSize,
        signal,
        onRead: splitProgress(events, input.bytes, now),
      }),
    );
    signal.throwIfAborted();
    const kind = scanner.finish();
    if (!replace) {
      expectSameOrigin(set, book.sections, kind);
      expectNothingHidden(set, book.sections, kind);
    }
    const plan = planReplacement(set, book.sections);
    if (!dryRun) {
      const { program, version } = kind;
      await replaceSet(set, plan, { program, programVersion: version, chunkSize }, staging, hash);
    }
    return { ...plan, kind, bytes: book.bytes, dryRun };
  } catch (error) {
    stager.abandon();
    await staging.settle();
    // What a commit has begun stays for the next run.
    if (!dryRun && !(await journalIsOpen(place).catch(() => true)))
      await dropStaged(place).catch(() => {});
    signal.throwIfAborted();
    throw error;
  }
}

async function completeEarlier(place: SetPlace, hash: HashBytes, events: Events): Promise<void> {
  const what = await completeJournal(place, hash);
  if (what === "completed")
    events.detail(1, `completed what a run that was cut off had begun in ${place.directory}`);
  if (what === "dropped" || what === "lost")
    events.warn(
      `${place.directory}: a run was cut off from committing a dump, and what it had staged is gone: ${what === "dropped" ? "the dump before it is whole" : "the files are of no dump until this one is split"}`,
    );
}

function cutOff({ directory }: SetPlace): Error {
  return refused(
    `expected a whole dump in ${directory}, found one that a run was cut off from committing`,
    { hint: "split a dump into it again: that completes it first" },
  );
}

/** A dry run makes no lock where there is none. */
async function lock(
  place: SetPlace,
  { dryRun, command }: SplitOptions,
  { signal, now }: SplitWorld,
): Promise<Pick<Lock, "release"> | undefined> {
  if (dryRun && !(await exists(place.lock))) return undefined;
  for (const directory of [place.directory, place.state, place.staged])
    await makePrivate(directory);
  return lockSet(place, { mode: "exclusive", command, signal, now });
}

async function makePrivate(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(directory, 0o700);
  } catch (cause) {
    throw failed(`cannot make the directory ${directory} (${systemCode(cause) ?? String(cause)})`, {
      cause,
    });
  }
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}
