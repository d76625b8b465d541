import { writeFile } from "node:fs/promises";
import { writeFailure } from "./writefailure.ts";

/**
 * Writes a temporary file that only we can read and nobody reads after a crash. Throws failed() with
 * the file's path, as when the disk is full.
 */
export async function writeScratch(
  file: string,
  text: string,
  encoding: "utf8" | "latin1" = "utf8",
): Promise<void> {
  try {
    await writeFile(file, text, { encoding, mode: 0o600 });
  } catch (error) {
    throw writeFailure(file, error);
  }
}
