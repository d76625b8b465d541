import { rm } from "node:fs/promises";
import path from "node:path";
import { readCheckpoints } from "./checkpoints.ts";
import { compareCopy, type MarkedFile } from "./digest.ts";
import { manifestName } from "./names.ts";
import {
  copyTree,
  prepare,
  UnfitBackup,
  type BackupProgram,
  type ProgramWorld,
} from "./program.ts";

/** One backup of a chain: where it is, the LSN that it ends at, and what it holds. */
export interface Step {
  readonly directory: string;
  readonly toLsn: string;
  readonly files: readonly MarkedFile[];
}

/**
 * Makes `target` a data directory as of the last step of a chain, from copies: preparing changes what
 * it works on, an incremental backup too. Throws UnfitBackup where the program doesn't accept the chain,
 * failed where it can't be tried, such as on a full disk. What it has made so far stays then.
 */
export async function prepareChain(
  steps: readonly Step[],
  target: string,
  program: BackupProgram,
  world: ProgramWorld,
): Promise<void> {
  for (const [at, { directory, toLsn, files }] of steps.entries()) {
    const isFull = at === 0;
    const copy = isFull ? target : incrementOf(target);
    await copyTree(directory, copy, world);
    await compareCopy(copy, files, world.signal);
    world.events.detail(2, `preparing ${path.basename(directory)}`);
    await prepare(program, target, isFull ? undefined : copy, world);
    if (!isFull) await rm(copy, { recursive: true });
    const found = await readCheckpoints(target);
    if (found.toLsn !== toLsn)
      throw new UnfitBackup(
        "chain",
        `expected ${directory} to be prepared up to LSN ${toLsn}, found ${found.toLsn}`,
      );
  }
  await rm(path.join(target, manifestName), { force: true });
}

/** Where an incremental backup is copied to, while it is added to the target. */
export function incrementOf(target: string): string {
  return `${target}.increment`;
}
