import { readFile, rm } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { writeAtomically } from "../state/atomic.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import type { StateFiles } from "./statefiles.ts";

/** The paths that a verification found different at the destination, sorted. */
export async function readMendList(files: Pick<StateFiles, "mend">): Promise<readonly RawPath[]> {
  try {
    const text = await readFile(files.mend, "latin1");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map(rawFromBytes);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Replaces the list; an empty one leaves no file. */
export async function writeMendList(files: StateFiles, paths: Iterable<RawPath>): Promise<void> {
  const lines = [...new Set(paths)].toSorted();
  if (lines.length === 0) await rm(files.mend, { force: true });
  else
    await writeAtomically(
      files.mend,
      Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1"),
    );
}
