import { readFile, readdir, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { failed, systemCode } from "../errors.ts";
import { syncDirectory, writeAtomically } from "../state/atomic.ts";
import { parseJson } from "../state/jsonfile.ts";
import { parseChunkName } from "./names.ts";
import type { SetPlace } from "./place.ts";
import { unreadable } from "./set.ts";

/** What turns the old set into the new one, once all that is new is staged. */
export interface Journal {
  /** A staged file and its name in the set, in any order. */
  readonly moves: readonly { readonly staged: string; readonly name: string }[];
  /** Files of the old set that the new one doesn't have. */
  readonly removals: readonly string[];
}

/** The staged manifest of the new set. */
export const stagedManifest = "manifest";

const format = 1;
const stagedName = /^\d{8}$/;
const named = v.pipe(
  v.string(),
  v.check((name) => parseChunkName(name) !== undefined),
);
const schema = v.object({
  version: v.literal(format),
  moves: v.array(v.object({ staged: v.pipe(v.string(), v.regex(stagedName)), name: named })),
  removals: v.array(named),
});

/** The name of the n-th staged file. */
export function stagedFile(serial: number): string {
  return String(serial).padStart(8, "0");
}

/**
 * Carries a journal out: it is written first, so that the next run can go on where this one was cut
 * off. All that it moves has to be staged and synced. Throws failed().
 */
export async function commitJournal(place: SetPlace, journal: Journal): Promise<void> {
  await syncDirectory(place.staged);
  await writeAtomically(place.journal, `${JSON.stringify({ version: format, ...journal })}\n`);
  await applyJournal(place, journal);
}

/** Whether a run was cut off while it committed: the files are of no dump until the next run. */
export async function journalIsOpen(place: SetPlace): Promise<boolean> {
  try {
    await stat(place.journal);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw unreadable(place.journal, error);
  }
}

/** Removes what a run has staged and not committed. */
export async function dropStaged({ staged }: SetPlace): Promise<void> {
  const names = await readdir(staged).catch((error: unknown): string[] => {
    if (systemCode(error) === "ENOENT") return [];
    throw unreadable(staged, error);
  });
  for (const name of names)
    if (stagedName.test(name) || name === stagedManifest) await unlink(path.join(staged, name));
}

/** What a run that was cut off had begun to commit. Throws failed() for a damaged journal. */
export async function readJournal({ journal }: SetPlace): Promise<Journal | undefined> {
  let text: string;
  try {
    text = await readFile(journal, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unreadable(journal, error);
  }
  const value = parseJson(text, schema);
  if (value === undefined)
    throw failed(`expected a journal that can be completed, found a damaged one: ${journal}`, {
      hint: "restore the directory from its backup, or empty it and split a new dump into it",
    });
  return value;
}

/** Moves what is staged still, removes what the new set doesn't have, and ends with the journal. Throws failed(). */
export async function applyJournal(place: SetPlace, { moves, removals }: Journal): Promise<void> {
  const { directory, staged, state } = place;
  try {
    for (const { staged: from, name } of moves)
      await moveUnlessDone(path.join(staged, from), path.join(directory, name));
    for (const name of removals)
      await unlink(path.join(directory, name)).catch((error: unknown) => {
        if (systemCode(error) !== "ENOENT") throw error;
      });
    await syncDirectory(directory);
    await moveUnlessDone(path.join(staged, stagedManifest), place.manifest);
    await syncDirectory(state);
    await unlink(place.journal);
    await syncDirectory(state);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw failed(`cannot commit the new files in ${directory} (${systemCode(error) ?? ""})`, {
      hint: "nothing is lost: the next run goes on where this one stopped",
      cause: error,
    });
  }
}

/** What is no longer staged was moved by the run before. */
async function moveUnlessDone(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await stat(to);
  }
}
