import { lstatSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { systemCode, usage } from "../../errors.ts";
import type { FileHistory } from "../../history/history.ts";
import { systemFromRaw } from "../../units/encoding.ts";

/**
 * Whether a file of the backup exists below a local directory; `copyLinks`: a link to a file is one, as
 * for the backup. Throws a usage failure when the directory is none.
 */
export function existsBelow(directory: string, copyLinks: boolean): (file: FileHistory) => boolean {
  const top = resolve(directory);
  if (statSync(top, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw usage(`--local: expected a directory, found none at ${top}`);
  const look = copyLinks ? statSync : lstatSync;
  return ({ path }) => {
    const file = Buffer.concat([
      Buffer.from(top === "/" ? "/" : `${top}/`),
      Buffer.from(systemFromRaw(path), "latin1"),
    ]);
    try {
      return look(file, { throwIfNoEntry: false })?.isFile() === true;
    } catch (error) {
      // A file where the path has a directory, a name that is too long here, links in a circle.
      if (["ENOTDIR", "ENAMETOOLONG", "ELOOP"].includes(systemCode(error) ?? "")) return false;
      throw error;
    }
  };
}
