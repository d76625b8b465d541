import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { stateRoot } from "../../state/directory.ts";
import { formatBytes } from "../../units/format.ts";
import type { World } from "../session.ts";
import { warning, type Finding } from "./finding.ts";

const mebibyte = 1_048_576;

/** Less than both of these is told. */
interface Least {
  readonly bytes: number;
  /** From 0 to 1, of the whole file system. */
  readonly share: number;
}

/** Whether the state directory can be written to, and has room. */
export async function checkState({ env, isRoot }: World): Promise<Finding[]> {
  const root = await existing(stateRoot(env, isRoot, env["HOME"] ?? "/"));
  try {
    await access(root, constants.W_OK | constants.X_OK);
  } catch {
    const text = `state: expected a directory that can be written to, found ${root}, which can't`;
    const hint = "set RCLONE_BACKUPS_STATE to a directory of your own";
    return [{ level: "error", check: "space", text, hint }];
  }
  return checkRoom("the state directory", root, { bytes: 256 * mebibyte, share: 0.05 });
}

/** Whether a directory that is a destination has room. */
export async function checkDestinationRoom(path: string): Promise<Finding[]> {
  return checkRoom("the destination", await existing(path), { bytes: 1024 * mebibyte, share: 0.1 });
}

async function checkRoom(what: string, path: string, least: Least): Promise<Finding[]> {
  const { bavail, blocks, bsize } = await statfs(path);
  const free = bavail * bsize;
  if (free >= least.bytes || (blocks > 0 && bavail / blocks >= least.share)) return [];
  return [
    warning(
      "space",
      `${what}: expected some room on the disk of ${path}, found ${formatBytes(free)} free`,
      "a full disk fails a run: remove something, or take a larger disk",
    ),
  ];
}

/** The path, or what exists of the directories above it. */
async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch {
    return path === "/" ? path : existing(dirname(path));
  }
}
