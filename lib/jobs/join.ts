import { access, constants, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { openHash } from "../chunks/hash.ts";
import { lockSet } from "../chunks/lock.ts";
import type { Manifest, SetFile } from "../chunks/manifest.ts";
import { listSet, setPlace, type SetPlace } from "../chunks/place.ts";
import { readChunks, wholeSet } from "../chunks/read.ts";
import type { Section } from "../chunks/section.ts";
import { beyondSession } from "../dumps/session.ts";
import { refused, usage } from "../errors.ts";
import { atomicStream } from "../state/atomic.ts";
import { realpathOfMissing } from "../state/realpath.ts";
import { findTarget, openInPlace, type Target } from "../state/target.ts";
import { writeFailure } from "../process/writefailure.ts";
import type { Lock } from "../state/lock.ts";
import type { Events } from "../units/events.ts";

export interface JoinOptions {
  readonly directory: string;
  /** Which sections are joined; all unless given. Throws usage() where what is wanted is not there. */
  readonly choose?: ((sections: readonly Section[]) => readonly Section[]) | undefined;
  /** Named to others who wait for the lock. */
  readonly command: string;
}

export interface JoinWorld {
  readonly signal: AbortSignal;
  readonly events: Events;
  readonly now: () => Date;
}

export interface JoinResult {
  readonly program: string;
  readonly programVersion: string | undefined;
  readonly files: number;
  readonly bytes: number;
}

type TakeBytes = (bytes: Buffer) => Promise<void>;

/**
 * Hands on the dump that a directory holds, a chunk at a time, once all that is to be handed on was
 * verified: a client such as psql takes the end of what it gets for the end of the rows, and commits them.
 * No split changes the files meanwhile. Throws refused() for what is no whole set, a difference where a
 * file is damaged; where that happened since it was verified, what comes before was handed on.
 */
export async function joinChunks(
  options: JoinOptions,
  world: JoinWorld,
  onChunk: TakeBytes,
): Promise<JoinResult> {
  return readSet(options, world, [
    { stage: "verifying" },
    // Verified once more: a file may be damaged in between, though no split is at work.
    { stage: "joining", onChunk },
  ]);
}

/** Verifies all that would be joined. Throws what joinChunks throws. */
export async function verifyChunks(options: JoinOptions, world: JoinWorld): Promise<JoinResult> {
  return readSet(options, world, [{ stage: "verifying" }]);
}

/** Reading all files once. */
interface Pass {
  readonly stage: "verifying" | "joining";
  /** Gets each chunk, verified. */
  readonly onChunk?: TakeBytes;
}

async function readSet(
  options: JoinOptions,
  world: JoinWorld,
  passes: readonly Pass[],
): Promise<JoinResult> {
  const place = setPlace(options.directory);
  // Before who holds the lock is written, through a link perhaps.
  await listSet(place);
  const lock = await lockShared(place, options, world);
  try {
    const hash = await openHash();
    const manifest = await wholeSet(place, hash);
    const files = chosenFiles(manifest, options);
    const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { stage, onChunk } of passes) {
      const onRead = joinProgress(stage, files.length, totalBytes, world);
      let at = 0;
      for await (const bytes of readChunks(place, files, hash)) {
        world.signal.throwIfAborted();
        if (options.choose !== undefined) expectSessionAlone(place, files[at], bytes);
        at += 1;
        await onChunk?.(bytes);
        onRead(bytes.length);
      }
    }
    const { program, programVersion } = manifest;
    return { program, programVersion, files: files.length, bytes: totalBytes };
  } finally {
    await lock?.release();
  }
}

/** Tells how far the files have been read; what it returns gets the bytes of each. */
function joinProgress(
  stage: Pass["stage"],
  totalFiles: number,
  totalBytes: number,
  { events, now }: JoinWorld,
): (bytes: number) => void {
  const began = now().getTime();
  let [doneFiles, doneBytes] = [0, 0];
  return (bytes) => {
    doneFiles += 1;
    doneBytes += bytes;
    const seconds = (now().getTime() - began) / 1000;
    events.progress({
      stage,
      ...{ doneFiles, totalFiles, doneBytes, totalBytes },
      rate: seconds > 0 ? doneBytes / seconds : undefined,
      etaSeconds: doneBytes > 0 ? (seconds * (totalBytes - doneBytes)) / doneBytes : undefined,
    });
  };
}

/**
 * Joins into a file, which appears whole or not at all, or into a pipe or device of that name, which gets
 * what was verified before. Throws what joinChunks throws, and usage() for a file in the directory itself.
 */
export async function joinIntoFile(
  file: string,
  options: JoinOptions,
  world: JoinWorld,
): Promise<JoinResult> {
  const target = await findTarget(file);
  if (!target.isFile) return joinInPlace(file, options, world);
  expectOutside(options.directory, file, target);
  const output = await atomicStream(target.path);
  try {
    // Read once: nobody sees the file before it is whole.
    const result = await readSet(options, world, [
      { stage: "joining", onChunk: writesInto(output.handle, file) },
    ]);
    await output.commit();
    return result;
  } finally {
    await output.abandon();
  }
}

async function joinInPlace(
  file: string,
  options: JoinOptions,
  world: JoinWorld,
): Promise<JoinResult> {
  const handle = await openInPlace(file, world.signal);
  try {
    const result = await joinChunks(options, world, writesInto(handle, file));
    if ((await handle.stat()).isBlockDevice()) await handle.sync();
    return result;
  } catch (error) {
    throw writeFailure(file, error);
  } finally {
    await handle.close();
  }
}

function writesInto(handle: FileHandle, file: string): TakeBytes {
  return async (bytes) => {
    try {
      await handle.writeFile(bytes);
    } catch (error) {
      throw writeFailure(file, error);
    }
  };
}

function expectOutside(directory: string, file: string, target: Target): void {
  const outer = realpathOfMissing(path.resolve(directory));
  if (!`${target.path}/`.startsWith(`${outer}/`)) return;
  throw usage(
    `expected an output outside of ${directory}, which holds the split dump, found ${file}`,
  );
}

/** Throws refused() where joining some tables would do more than bring them back. */
function expectSessionAlone(
  { directory }: SetPlace,
  { name, section = { kind: "" } }: Partial<SetFile> = {},
  bytes: Buffer,
): void {
  const line = beyondSession(section, bytes);
  if (line === undefined) return;
  throw refused(
    `${path.join(directory, name ?? "")}: expected what sets a session up and no more, found ${line.split(" ", 2).join(" ")}`,
    {
      hint: "that would not be done to the tables alone: split a new dump, or join all of it and load that into a server of its own",
    },
  );
}

function chosenFiles({ files }: Manifest, { choose }: JoinOptions): readonly SetFile[] {
  if (choose === undefined) return files;
  const sections = files.map(({ section }) => section ?? { kind: "" });
  const chosen = new Set(choose(sections));
  return files.filter((_, at) => chosen.has(sections[at] ?? { kind: "" }));
}

/** What was restored to a place that can't be written has no run beside us. */
async function lockShared(
  place: SetPlace,
  { command }: JoinOptions,
  { signal, now }: JoinWorld,
): Promise<Pick<Lock, "release"> | undefined> {
  try {
    await access(place.lock, constants.R_OK | constants.W_OK);
  } catch {
    return undefined;
  }
  return lockSet(place, { mode: "shared", command, signal, now });
}
