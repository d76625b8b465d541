import type { RawPath } from "../units/rawpath.ts";

/** Begins the names of the directories in which a restore collects files before they appear. */
export const stagingPrefix = ".rclone-restore-";

/** Bytes that a name can have on the file systems there are. */
const longestName = 255;

/** Whatever may be wrong with a path but lengths: a segment that is empty or made of dots, NUL. */
const strange = /(?:^|\/)\.{0,2}(?:\/|$)|\0/;

/**
 * Why nothing is written under a path below the target; undefined when all is well. A store may hold
 * any name, also one that would lead elsewhere.
 */
export function whyRefused(path: RawPath): string | undefined {
  // Most paths; to take each of them apart takes longer than all else that is asked of it.
  const common = path.length <= longestName && !strange.test(path);
  if (common && !path.startsWith(stagingPrefix)) return undefined;
  if (path.startsWith("/")) return "expected a relative name, found an absolute one";
  for (const segment of path.split("/")) {
    if (segment === "") return "expected names between the slashes, found an empty one";
    if (segment === "." || segment === "..") return `expected a name, found ${segment}`;
    if (segment.length > longestName)
      return `expected names of at most ${longestName} bytes, found one of ${segment.length}`;
    if (segment.includes("\0")) return "expected a name without NUL, found one";
  }
  if (path.startsWith(stagingPrefix))
    return `expected another name than those of a restore's own files, found ${stagingPrefix}…`;
  return undefined;
}
