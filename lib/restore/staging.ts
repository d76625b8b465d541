import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFailure } from "../process/writefailure.ts";
import { stagingPrefix } from "./refusal.ts";

/** A private directory beside the restored files, in which each is finished before it appears. */
export interface Staging {
  readonly directory: string;
  /** Finished files, under the names they get below the target. */
  readonly files: string;
  /** Files that are on their way. */
  readonly parts: string;
  /** Whether nothing was left here by a run that was killed. */
  readonly fresh: boolean;
  /** Removes what is in it; parts of large files stay where `keepParts` is set, for the next run. */
  remove(keepParts: boolean): Promise<void>;
}

/**
 * Opens the staging directory in a directory of this machine; the one that a killed run of the same
 * backup left is taken over. The caller holds a lock. Throws failed() when it can't be written.
 */
export async function openStaging(root: string, backup: string): Promise<Staging> {
  const key = createHash("sha256").update(backup).digest("hex").slice(0, 12);
  const directory = join(root, `${stagingPrefix}${key}`);
  const files = join(directory, "files");
  const parts = join(directory, "parts");
  const fresh = !existsSync(files);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // The directories in here appear under the target as they are.
    await mkdir(files, { recursive: true });
    await mkdir(parts, { recursive: true });
  } catch (error) {
    throw writeFailure(directory, error);
  }
  return {
    ...{ directory, files, parts, fresh },
    async remove(keepParts) {
      await rm(files, { recursive: true, force: true });
      if (!keepParts) await rm(parts, { recursive: true, force: true });
      // What isn't empty holds parts of large files.
      await rmdir(parts).catch(() => {});
      await rmdir(directory).catch(() => {});
    },
  };
}
