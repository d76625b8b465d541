import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { failed, systemCode } from "../errors.ts";

/**
 * The real path of an absolute path that need not exist: links are followed even where they
 * dangle, so that a place keeps its name while its disk is not mounted.
 * Throws when links go in a circle or may not be read.
 */
export function realpathOfMissing(path: string, depth = 0): string {
  if (depth > 64)
    throw failed(`${path}: expected symbolic links that end somewhere, found a circle`);
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
  }
  if (dirname(path) === path) return path;
  if (isLink(path)) return realpathOfMissing(resolve(dirname(path), readlinkSync(path)), depth + 1);
  return join(realpathOfMissing(dirname(path), depth + 1), basename(path));
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
