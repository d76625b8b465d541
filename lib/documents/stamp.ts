import { lstatSync } from "node:fs";
import { digitsOf } from "./content.ts";
import { DocumentFiles } from "./files.ts";

/**
 * Stands for the directories of a collection as they are now: which these are, and when files in them were last made,
 * renamed or removed. It is another one after somebody put back what they held earlier; a file that is
 * written into under its name leaves it as it is.
 */
export function stampOf(directory: string): string {
  const parts: string[] = [];
  for (const name of ["", ...new DocumentFiles(directory).shards()]) {
    const found = lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
    // That of the collection itself changes with its metadata. A number of milliseconds tells microseconds, too.
    const time = name === "" ? "" : found?.mtimeMs;
    parts.push(`${name} ${found?.ino} ${time}`);
  }
  return digitsOf(Buffer.from(parts.join("\n")));
}
