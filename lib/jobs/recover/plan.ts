import { at } from "../../history/at.ts";
import type { FileHistory } from "../../history/history.ts";
import type { StoredVersion } from "../../stores/store.ts";
import type { RecoverStep, RecoverWish } from "./options.ts";

/**
 * What one file needs to become what is wished; undefined where it is so already. `since` is when an
 * earlier, cut off roll-back to the same time began: what is current since then was put there by it,
 * where its content speaks for that.
 * Pure. Only the newest entry is ever looked at for a deletion: an old marker of a live file says
 * nothing of now. Where content that can't be ours is what would have to come back, or might be what
 * is to be hidden, the file is left as it is.
 */
export function planFile(
  file: FileHistory,
  wish: RecoverWish,
  since: number | undefined,
): RecoverStep | undefined {
  const [last] = file.versions;
  if (wish.kind === "as-of") return rollBack(file, wish.time, since);
  if (file.deletedAt === undefined || last === undefined) return undefined;
  if (file.entries.find(({ kind }) => kind === "file") !== last.stored) return undefined;
  const wanted = wish.kind === "local" ? wish.exists(file) : file.deletedAt >= wish.since;
  return wanted ? { action: "undelete", file, version: last } : undefined;
}

function rollBack(
  file: FileHistory,
  time: number,
  since: number | undefined,
): RecoverStep | undefined {
  const wanted = at(file, time);
  const { current } = file;
  if (wanted === undefined)
    return current === undefined || file.foreign > 0 ? undefined : { action: "hide", file };
  if (wanted === current) return undefined;
  const isLater = since !== undefined && current !== undefined && current.from >= since;
  const isDone = isLater && mayBeCopy(current.stored, wanted.stored);
  return isDone ? undefined : { action: "restore", file, version: wanted };
}

/** Whether nothing speaks against the same content, which somebody else's upload would hardly have. */
function mayBeCopy(one: StoredVersion, other: StoredVersion): boolean {
  if (one.hash?.kind === other.hash?.kind && one.hash?.hex !== other.hash?.hex) return false;
  return one.size === other.size;
}
