import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm, utimes, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { writeFailure } from "../process/writefailure.ts";
import { isUnmistakable } from "../stores/reusedid.ts";
import type { Content } from "./content.ts";
import { bytesOf, clashAt } from "./local.ts";
import type { PlannedFile } from "./plan.ts";

export interface FetchRequest {
  readonly content: Content;
  readonly planned: PlannedFile;
  /** Where unfinished files are kept. */
  readonly parts: string;
  /** The directory (as the system names it) below which the file goes. */
  readonly into: string;
  /** Below it, as the system names it. */
  readonly relative: string;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/** So much is written between two syncs; what is beyond the last one is not trusted after a kill. */
const syncEvery = 64 * 1024 * 1024;

/**
 * Fetches one version into a file that appears whole and with its modification time. A part that an
 * earlier run left of just this version is gone on with, from the last place that was surely on disk. Returns whether the stored bytes
 * had the provider's checksum; false where there is none, or a part was there.
 * Throws failed() when the content is damaged or can't be read or written, NameClash where another file
 * is in the way.
 */
export async function fetchVersion(request: FetchRequest): Promise<boolean> {
  const { version } = request.planned;
  const part = partOf(request);
  const to = `${request.into}/${request.relative}`;
  const handle = await openPart(part);
  let isVerified: boolean;
  try {
    const mark = await open(`${part}.mark`, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      isVerified = await fill({ ...request, to }, handle, mark);
    } finally {
      await mark.close();
    }
    await writing(to, () => handle.sync());
  } catch (error) {
    // Damaged content would be gone on with for ever.
    if (error instanceof DamagedContent) await discard(part);
    throw error;
  } finally {
    await handle.close();
  }
  const modifiedAt = await request.content.modifiedAt(version.stored, request.signal);
  // Seconds with a fraction are cut, not rounded: without the little more, to a microsecond before.
  const time = (modifiedAt + 0.0005) / 1000;
  try {
    await writing(to, async () => {
      await utimes(part, time, time);
      await mkdir(bytesOf(dirname(to)), { recursive: true });
      await rename(part, bytesOf(to));
    });
  } catch (error) {
    const clash = clashAt(request.into, request.relative);
    if (clash === undefined) throw error;
    await discard(part);
    throw new NameClash(clash, { cause: error });
  }
  await discard(part);
  return isVerified;
}

/** Another file that is restored stands where this one's directory would, or the other way round. */
export class NameClash extends Error {}

/** Stored content that isn't what was stored. */
class DamagedContent extends Error {}

async function fill(
  request: FetchRequest & { readonly to: string },
  part: FileHandle,
  mark: FileHandle,
): Promise<boolean> {
  const { content, planned, to, signal } = request;
  const { stored, size } = planned.version;
  if (!isUnmistakable(stored)) await mark.truncate(0);
  const start = await resumeAt(part, mark, content.step, size);
  const hash = stored.hash === undefined || start > 0 ? undefined : createHash(stored.hash.kind);
  let at = start;
  let synced = start;
  const onStored = (chunk: Uint8Array): void => void hash?.update(chunk);
  for await (const chunk of content.read(stored, start, onStored, signal)) {
    signal.throwIfAborted();
    if (at + chunk.length > size) throw damaged(`more than its ${size} bytes`);
    await writing(to, () => writeAt(part, chunk, at));
    at += chunk.length;
    request.onBytes(chunk.length);
    if (at - synced < syncEvery) continue;
    await writing(to, async () => {
      await part.datasync();
      await mark.write(`${at}`.padEnd(20), 0);
    });
    synced = at;
  }
  if (at !== size) throw damaged(`${at} of its ${size} bytes`);
  if (hash === undefined) return false;
  if (hash.digest("hex") !== stored.hash?.hex) throw damaged("another checksum than the store's");
  return true;
}

/** From where to go on: what was synced, cut to a place where reading can begin. */
async function resumeAt(
  part: FileHandle,
  mark: FileHandle,
  step: number,
  size: number,
): Promise<number> {
  const { bytesRead, buffer } = await mark.read(Buffer.alloc(20), 0, 20, 0);
  const synced = bytesRead === 20 ? Number(buffer.toString("latin1")) : 0;
  const known = Math.min(synced, (await part.stat()).size);
  const usable = Number.isSafeInteger(known) && known <= size ? known - (known % step) : 0;
  await part.truncate(usable);
  return usable;
}

async function writeAt(part: FileHandle, chunk: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await part.write(chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
}

function damaged(found: string): Error {
  return new DamagedContent(`expected the content that was stored, found ${found}`);
}

/**
 * A part belongs to one version and one name: what another run fetched can't be taken for it. An id
 * alone may mean another version by now.
 */
function partOf({ planned, parts }: FetchRequest): string {
  const { name, id, size, storedAt, modifiedAt, hash } = planned.version.stored;
  const version = [name, id, size, storedAt, modifiedAt ?? null, hash?.hex ?? null];
  const identity = JSON.stringify([planned.target, ...version]);
  return `${parts}/${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
}

async function openPart(part: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  return writing(part, () => open(part, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666));
}

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.mark`, { force: true });
}

async function writing<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw writeFailure(Buffer.from(file, "latin1").toString("utf8"), error);
  }
}
