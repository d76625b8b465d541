import { largestTarget, smallestTarget } from "../../chunks/cut.ts";
import { usage } from "../../errors.ts";
import { parseBytes } from "../../units/bytes.ts";
import { formatBytes } from "../../units/format.ts";

/** The size that chunks should have, in bytes. Throws usage() for one that can't be had. */
export function parseChunkSize(text: string): number {
  const size = parseBytes(text);
  if (size < smallestTarget || size > largestTarget)
    throw usage(
      `--chunk-size: expected ${formatBytes(smallestTarget)} to ${formatBytes(largestTarget)}, found ${text}`,
    );
  return size;
}
