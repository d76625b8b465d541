import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { failed, systemCode } from "../errors.ts";
import { writeAtomically } from "./atomic.ts";

const schema = v.object({
  version: v.literal(1),
  /** When the roll-back began; what is current since then was put there by it. */
  since: v.string(),
  /** The time to which the backup was rolled back. */
  asOf: v.string(),
  /** Whether all of it was done. */
  complete: v.boolean(),
});

/**
 * The backup was rolled back and is not run until somebody says so: the source may still be what it
 * was rolled back from.
 */
type Paused = Omit<v.InferOutput<typeof schema>, "version">;

/**
 * Reads paused.json: a file of its own, so that a pause outlives a record that is damaged or lost.
 * Throws failed when it is damaged: nobody knows then that the backup may run.
 */
export async function readPaused(file: string): Promise<Paused | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { version: _, ...paused } = v.parse(schema, JSON.parse(text));
    return paused;
  } catch (error) {
    throw failed(`state: expected what was rolled back in ${file}, found a damaged file`, {
      hint: "the backup is paused; where the source is in order, rclone-recover --resume --yes lets it run again",
      cause: error,
    });
  }
}

/** Writes paused.json: a temporary name, synced, renamed. */
export async function writePaused(file: string, paused: Paused): Promise<void> {
  await writeAtomically(file, `${JSON.stringify({ version: 1, ...paused }, undefined, 2)}\n`);
}
