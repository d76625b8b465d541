import { comparesChecksums } from "../../config/flags.ts";
import { interrupted, systemCode, usage } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import { together } from "../../process/together.ts";
import { remoteFeatures } from "../../rclone/remotefeatures.ts";
import type { Session } from "../session.ts";
import type { Run } from "./run.ts";

/*
 * Where rclone can compare neither times nor checksums, it takes files of one size for equal, without
 * a word. What changed is then known by the manifest alone.
 */

/** How rclone compares files of the same size between the two ends. */
export interface Comparison {
  /** It does not: they are equal for it. */
  readonly sizesOnly: boolean;
  /** Whether the destination keeps times of modification. */
  readonly timesKept: boolean;
}

/** Asks rclone by what it can compare the two ends; by times, where it doesn't say. */
export async function comparisonOf(session: Session): Promise<Comparison> {
  const { rclone, source, destination, tuning, world } = session;
  const [here, there] = await together(
    remoteFeatures(rclone, source, tuning, world.signal),
    remoteFeatures(rclone, destination, tuning, world.signal),
  );
  const timesKept = typeof there === "string" || there.keepsTimes;
  if (typeof here === "string" || typeof there === "string") return { sizesOnly: false, timesKept };
  const common = here.hashes?.some((hash) => there.hashes?.includes(hash) ?? true) ?? true;
  const byTimes = here.keepsTimes && there.keepsTimes;
  return { sizesOnly: comparesChecksums(tuning.flags) ? !common : !byTimes, timesKept };
}

/**
 * Throws a usage failure where rclone is to compare checksums and there are none: crypt has none of
 * what it encrypts.
 */
export function refuseBlindChecksums({ backup, sourcePlace, destinationPlace }: Session): void {
  if (!comparesChecksums(backup.rclone.flags)) return;
  for (const { layers } of [sourcePlace, destinationPlace])
    if (layers.includes("crypt"))
      throw usage(
        "rclone.flags: expected a flag that lets rclone see what changed, found --checksum with crypt, which has no checksums of what it encrypts",
        {
          hint: "remove --checksum: without it rclone compares times; with it a changed file of the same size would not be seen",
        },
      );
}

/** The best that is known where the manifest isn't trusted: what it says, where it can be read. */
export async function lastKnown(run: Run): Promise<() => Pages<Entry>> {
  try {
    for await (const _ of readManifest(run.files.manifest));
    return () => readManifest(run.files.manifest);
  } catch (error) {
    if (error instanceof DamagedManifest || systemCode(error) === "ENOENT") return noPages;
    if (run.session.world.signal.aborted) throw interrupted("stopped by a signal");
    throw error;
  }
}
