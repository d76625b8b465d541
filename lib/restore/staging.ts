import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFailure } from "../process/writefailure.ts";
import { stagingPrefix } from "./refusal.ts";

const bulkPrefix = "bulk-";

/** A private directory beside the restored files, in which each is finished before it appears. */
export interface Staging {
  /** Finished files, under the names they get below the target. */
  readonly files: string;
  /** Files that are on their way. */
  readonly parts: string;
  /** Whether nothing was left here by a run that was killed. */
  readonly fresh: boolean;
  /** Where files go from the copy of that number which get their place later. */
  bulk(index: number): string;
  /** Removes what is in it; parts of large files stay where `keepParts` is set, for the next run. */
  remove(keepParts: boolean): Promise<void>;
}

/** Whether a killed run of the same backup left a staging directory in a directory of this machine. */
export function hasStaging(root: string, backup: string): boolean {
  return existsSync(stagingDirectory(root, backup));
}

function stagingDirectory(root: string, backup: string): string {
  const key = createHash("sha256").update(backup).digest("hex").slice(0, 12);
  return join(root, `${stagingPrefix}${key}`);
}

/**
 * Opens the staging directory in a directory of this machine; the one that a killed run of the same
 * backup left is taken over. The caller holds a lock. Throws failed() when it can't be written.
 */
export async function openStaging(root: string, backup: string): Promise<Staging> {
  const directory = stagingDirectory(root, backup);
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
    ...{ files, parts, fresh },
    bulk: (index) => join(directory, `${bulkPrefix}${index}`),
    async remove(keepParts) {
      await rm(files, { recursive: true, force: true });
      if (!keepParts) await rm(parts, { recursive: true, force: true });
      // Of a run that was killed there may be more of them than of this one.
      for (const name of await readdir(directory))
        if (name.startsWith(bulkPrefix))
          await rm(join(directory, name), { recursive: true, force: true });
      // What isn't empty holds parts of large files.
      await rmdir(parts).catch(() => {});
      await rmdir(directory).catch(() => {});
    },
  };
}
