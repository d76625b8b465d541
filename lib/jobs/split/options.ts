import { largestTarget, smallestTarget } from "../../chunks/cut.ts";
import { usage } from "../../errors.ts";
import { parseBytes } from "../../units/bytes.ts";
import { formatBytes } from "../../units/format.ts";
import type { SplitOptions } from "../split.ts";

/** What was given on the command line of a program that splits dumps. */
interface GivenOptions {
  readonly to?: string | undefined;
  readonly chunkSize: string;
  readonly dryRun?: true | undefined;
  readonly replace?: true | undefined;
}

/** How a program of this name is to split. Throws usage() for what can't be had. */
export function splitOptions(
  name: string,
  { to, chunkSize, dryRun, replace }: GivenOptions,
): SplitOptions {
  if (to === undefined) throw usage("expected --to DIRECTORY, found none");
  return {
    directory: to,
    chunkSize: parseChunkSize(chunkSize),
    dryRun: dryRun === true,
    replace: replace === true,
    command: `${name} ${to}`,
  };
}

function parseChunkSize(text: string): number {
  const size = parseBytes(text);
  if (size < smallestTarget || size > largestTarget)
    throw usage(
      `--chunk-size: expected ${formatBytes(smallestTarget)} to ${formatBytes(largestTarget)}, found ${text}`,
    );
  return size;
}
