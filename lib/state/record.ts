import * as v from "valibot";
import { count } from "./count.ts";
import { parseJson, readJson, writeJson } from "./jsonfile.ts";

const mountIdentity = v.string();

/** How a run ended. */
export const runSchema = v.object({
  run: v.string(),
  result: v.picklist(["success", "warning", "failure", "skipped"]),
  exitCode: v.number(),
  startedAt: v.string(),
  finishedAt: v.string(),
  source: v.optional(count),
  added: v.optional(count),
  changed: v.optional(count),
  deleted: v.optional(count),
  message: v.optional(v.string()),
  warnings: v.array(v.string()),
});

const recordSchema = v.object({
  version: v.literal(1),
  name: v.string(),
  config: v.string(),
  /** Redacted. */
  source: v.string(),
  destination: v.string(),
  /** Number of the last run: ids grow by it, whatever the clock does. */
  lastNumber: v.number(),
  /** A run that has begun to change the destination and has not told how it ended. */
  running: v.optional(v.object({ run: v.string(), startedAt: v.string() })),
  last: v.optional(runSchema),
  /** The last run that was good, and what the destination held after it. */
  good: v.optional(
    v.object({
      run: v.string(),
      finishedAt: v.string(),
      files: v.number(),
      bytes: v.number(),
      /** Digest of the listing that the manifest equals line by line; absent when it does not. */
      listing: v.optional(v.string()),
    }),
  ),
  /** Whether the manifest says what the destination holds. */
  trusted: v.boolean(),
  /** Files that the last run left at the destination, good or not. */
  held: v.number(),
  /** Runs in a row in which unreadable files kept rclone from deleting. */
  suppressed: v.optional(v.object({ runs: v.number(), since: v.string() })),
  mounts: v.optional(
    v.object({
      source: mountIdentity,
      nested: v.array(v.object({ path: v.string(), identity: mountIdentity })),
    }),
  ),
  refused: v.optional(
    v.object({
      id: v.string(),
      at: v.string(),
      findings: v.array(
        v.object({
          kind: v.picklist([
            "source-empty",
            "max-delete",
            "max-change",
            "mount",
            "destination-empty",
          ]),
          text: v.string(),
        }),
      ),
    }),
  ),
  /**
   * The clock went forward by more than 30 days from one run to the next, and nobody has said that it
   * was right: by it old versions may only seem old.
   */
  clockDoubt: v.optional(v.object({ from: v.string(), to: v.string() })),
  /** When somebody last said that the clock was right. */
  clockBelieved: v.optional(v.string()),
  /** Warnings that are told once and then only shown in the status. */
  told: v.array(v.string()),
});

/** What is remembered of one backup between its runs. */
export type BackupRecord = v.InferOutput<typeof recordSchema>;
export type RunRecord = v.InferOutput<typeof runSchema>;

export interface ReadRecord {
  readonly record: BackupRecord | undefined;
  /** Where a damaged file is now: set aside, or still in its place. */
  readonly damaged: string | undefined;
}

/**
 * Reads state.json. A damaged file is told, never taken for a first run without a word, and set
 * aside if the caller may change anything. Throws when it exists and can't be read.
 */
export async function readRecord(
  file: string,
  options: { readonly setAside: boolean },
): Promise<ReadRecord> {
  const { value, damaged } = await readJson(file, recordSchema, options);
  return { record: value, damaged };
}

/** The record that the text of state.json holds; undefined when it is damaged. */
export function parseRecord(text: string): BackupRecord | undefined {
  return parseJson(text, recordSchema);
}

/** Writes state.json: a temporary name, synced, renamed. */
export async function writeRecord(file: string, record: BackupRecord): Promise<void> {
  await writeJson(file, record);
}
