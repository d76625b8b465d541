import { realpath, stat, writeFile } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { writeAtomically } from "../state/atomic.ts";

/**
 * Writes a page whole or not at all, readable for its owner alone unless a mode is given. What a link
 * leads to is replaced, not the link; a pipe or a device such as /dev/stdout is written to. Throws failed().
 */
export async function writePage(file: string, text: string, mode = 0o600): Promise<void> {
  let target = file;
  try {
    if (!(await stat(file)).isFile()) {
      await writeFile(file, text);
      return;
    }
    target = await realpath(file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw writeFailure(file, error);
  }
  await writeAtomically(target, text, mode);
}
