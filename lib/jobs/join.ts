import { access, constants } from "node:fs/promises";
import { openHash } from "../chunks/hash.ts";
import { lockSet } from "../chunks/lock.ts";
import type { Manifest, SetFile } from "../chunks/manifest.ts";
import { setPlace, type SetPlace } from "../chunks/place.ts";
import { readChunks, wholeSet } from "../chunks/read.ts";
import type { Section } from "../chunks/section.ts";
import { atomicStream } from "../state/atomic.ts";
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

/**
 * Hands on the dump that a directory holds, a chunk at a time, each verified before. No split changes the
 * files meanwhile. Throws refused() for what is no whole set, a difference where a file is damaged:
 * what comes before it was handed on then.
 */
export async function joinChunks(
  options: JoinOptions,
  world: JoinWorld,
  onChunk: (bytes: Buffer) => Promise<void>,
): Promise<JoinResult> {
  const place = setPlace(options.directory);
  const lock = await lockShared(place, options, world);
  try {
    const hash = await openHash();
    const manifest = await wholeSet(place, hash);
    const files = chosenFiles(manifest, options);
    const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const began = world.now().getTime();
    let [doneFiles, doneBytes] = [0, 0];
    for await (const bytes of readChunks(place, files, hash)) {
      world.signal.throwIfAborted();
      await onChunk(bytes);
      doneFiles += 1;
      doneBytes += bytes.length;
      const seconds = (world.now().getTime() - began) / 1000;
      world.events.progress({
        stage: "joining",
        ...{ doneFiles, totalFiles: files.length, doneBytes, totalBytes },
        rate: seconds > 0 ? doneBytes / seconds : undefined,
        etaSeconds: doneBytes > 0 ? (seconds * (totalBytes - doneBytes)) / doneBytes : undefined,
      });
    }
    const { program, programVersion } = manifest;
    return { program, programVersion, files: files.length, bytes: totalBytes };
  } finally {
    await lock?.release();
  }
}

/** Joins into a file, which appears whole or not at all. Throws what joinChunks throws. */
export async function joinIntoFile(
  file: string,
  options: JoinOptions,
  world: JoinWorld,
): Promise<JoinResult> {
  const target = await atomicStream(file);
  try {
    const result = await joinChunks(options, world, async (bytes) => {
      try {
        await target.handle.writeFile(bytes);
      } catch (error) {
        throw writeFailure(file, error);
      }
    });
    await target.commit();
    return result;
  } finally {
    await target.abandon();
  }
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
