import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { refused } from "../../errors.ts";
import { isMountPoint } from "../../guard/mountinfo.ts";
import type { Run } from "./run.ts";

/**
 * Holds require_mount and require_file: before pre_command and after it, for a hook that mounts or
 * exports changes what is there. Throws refused.
 */
export async function checkRequired(run: Pick<Run, "session">): Promise<void> {
  const { backup, localSource, world } = run.session;
  const { requireMount, requireFile } = backup.guards;
  if (requireMount !== undefined && !(await isMountPoint(requireMount))) {
    throw refused(`guards.require_mount: expected a mount at ${requireMount}, found none`, {
      hint: `mount ${requireMount} and run the backup again`,
    });
  }
  if (
    requireFile !== undefined &&
    !(await exists(resolve(localSource ?? world.cwd, requireFile)))
  ) {
    throw refused(`guards.require_file: expected ${requireFile} to exist, found nothing there`, {
      hint: "is the right disk mounted at its place?",
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
