import { constants, openSync } from "node:fs";

/** 0 where the system knows no such flag, and from the first file on that can be opened without it alone. */
let noAccessTime = (constants as Partial<typeof constants>).O_NOATIME ?? 0;

/**
 * Opens a file for reading, and leaves its time of access as it is where the system allows that: of a million small
 * files, writing those times down takes longer than reading them. `flags` come besides. Throws what openSync throws.
 * See open(2), O_NOATIME: only the owner of a file and root may say that.
 */
export function openToRead(file: string | Buffer, flags = 0): number {
  const wanted = constants.O_RDONLY | flags;
  if (noAccessTime !== 0)
    try {
      return openSync(file, wanted | noAccessTime);
    } catch {
      // Whatever it was: it is there without the flag, too, or the flag was the reason.
    }
  const descriptor = openSync(file, wanted);
  noAccessTime = 0;
  return descriptor;
}
