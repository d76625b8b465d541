import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { compareWithFiles } from "./compare.ts";
import type { DocumentFiles } from "./files.ts";
import type { CollectionPlace } from "./place.ts";
import { stampOf } from "./stamp.ts";
import { newSecret, readState, type CollectionState } from "./statefile.ts";
import { DocumentTable } from "./table.ts";

/** How much of what is remembered is checked against the files: nothing, which there are, or what is in them. */
export type Checks = "nothing" | "names" | "contents";

export interface RememberedOptions {
  readonly checks: Checks;
  readonly dryRun: boolean;
  /** Whether the files are staged until publish(). */
  readonly staged: boolean;
  /** How many documents there will be. */
  readonly expected: number;
  /** The collection that is read now: see sourceOf. */
  readonly source: string;
  readonly signal: AbortSignal;
}

/** What is known of a collection's files when a run begins. */
export interface Remembered {
  readonly state: Omit<CollectionState, "stamp">;
  /** Whether that is another state than the one that was written down. */
  readonly stale: boolean;
  /** Files of ours that hold no whole document. */
  readonly damaged: readonly string[];
}

/**
 * Reads what is remembered. Where that is lost, damaged, or left by a run that did not end, where somebody else
 * changed the directories since, or `checks` says so, it is made anew from the files. These tell nothing of what the documents are now, nor does what is
 * remembered of another collection than `source`: the state has no source then. Throws failed().
 */
export async function readRemembered(
  place: CollectionPlace,
  files: DocumentFiles,
  { checks, dryRun, staged, expected, source, signal }: RememberedOptions,
): Promise<Remembered> {
  const unfinished = existsSync(place.unfinished);
  if (unfinished && !dryRun) files.removeTemporary();
  // It tells of files that somebody removed with their directory.
  if (staged) await rm(place.state, { force: true });
  const isLost = checks === "contents" || unfinished || staged;
  const known = isLost ? undefined : await readState(place.state, expected);
  const isOther = known !== undefined && known.stamp !== stampOf(place.directory);
  const read = isOther ? undefined : known;
  const table = read?.table ?? new DocumentTable(expected, newSecret());
  let stale = unfinished || isOther;
  let damaged: readonly string[] = [];
  if (read === undefined || checks === "names") {
    const found = await compareWithFiles(table, files, signal);
    stale ||= found.different;
    damaged = found.damaged;
  }
  const isSame = read?.source === source;
  const state = {
    table,
    known: isSame ? read.known : undefined,
    source: isSame ? source : undefined,
  };
  return { state, stale, damaged };
}
