import { readFile, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { syncDirectory } from "../state/atomic.ts";
import type { HashBytes } from "./hash.ts";
import { applyJournal, readJournal, stagedManifest, type Journal } from "./journal.ts";
import { parseManifest, type Manifest, type SetFile } from "./manifest.ts";
import { listSet, type SetPlace } from "./place.ts";
import { readManifest, unreadable } from "./set.ts";

/** What became of what a run that was cut off had begun to commit. */
export type Completed =
  | "nothing"
  | "completed"
  /** What was staged is gone, as where a backup left it out; nothing had been moved: the old set is whole. */
  | "dropped"
  /** The same, with some files moved: the set is of no dump, and has no manifest now. */
  | "lost";

/**
 * Completes what a run that was cut off had begun to commit, if all that it takes is still there. If not, nothing is
 * moved or removed: the journal goes, and the manifest where the files are not those that it names. Throws failed().
 */
export async function completeJournal(place: SetPlace, hash: HashBytes): Promise<Completed> {
  const journal = await readJournal(place);
  if (journal === undefined) return "nothing";
  if (await canComplete(place, journal, hash)) {
    await applyJournal(place, journal);
    return "completed";
  }
  const isWhole = await holdsAll(place, (await readManifest(place, hash)).manifest, hash);
  if (!isWhole) await remove(place.manifest);
  await syncDirectory(place.state);
  await remove(place.journal);
  await syncDirectory(place.state);
  return isWhole ? "dropped" : "lost";
}

/** Whether each file is staged still, or in its place as the new manifest names it. */
async function canComplete(
  place: SetPlace,
  { moves, removals }: Journal,
  hash: HashBytes,
): Promise<boolean> {
  const text = await contentOf(path.join(place.staged, stagedManifest));
  // It is moved last.
  const manifest =
    text === undefined
      ? (await readManifest(place, hash)).manifest
      : parseManifest(text.toString("utf8"), hash);
  const files = new Map(manifest?.files.map((file) => [file.name, file]));
  // Then it is the old one, or none.
  if (manifest === undefined || removals.some((name) => files.has(name))) return false;
  for (const { staged, name } of moves) {
    const file = files.get(name);
    if (file === undefined) return false;
    const isStaged = (await sizeOf(path.join(place.staged, staged))) !== undefined;
    if (!isStaged && !(await isThere(place, file, hash))) return false;
  }
  return true;
}

async function holdsAll(
  place: SetPlace,
  manifest: Manifest | undefined,
  hash: HashBytes,
): Promise<boolean> {
  const names = (await listSet(place)) ?? [];
  if (manifest?.files.length !== names.length) return false;
  for (const file of manifest.files) if (!(await isThere(place, file, hash))) return false;
  return true;
}

async function isThere(
  { directory }: SetPlace,
  { name, bytes, hash: expected }: SetFile,
  hash: HashBytes,
): Promise<boolean> {
  const file = path.join(directory, name);
  if ((await sizeOf(file)) !== bytes) return false;
  const content = await contentOf(file);
  return content !== undefined && hash(content) === expected;
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unreadable(file, error);
  }
}

async function contentOf(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unreadable(file, error);
  }
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
}
