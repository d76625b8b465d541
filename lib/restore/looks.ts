import { lstatSync, type Stats } from "node:fs";
import pMap from "p-map";
import type { FileVersion } from "../history/history.ts";
import { bytesOf } from "./local.ts";
import type { PlannedFile } from "./plan.ts";
import type { RestoreWork } from "./work.ts";

/** What is looked at of a file found. */
type Found = Pick<Stats, "size" | "mtimeMs" | "ctimeMs" | "isFile">;

/**
 * Whether what was found at a path of the system has the size and, where it is known, the modification
 * time of a version.
 */
export function looksLike(path: string, found: Found, version: FileVersion): boolean {
  if (!found.isFile() || found.size !== version.size) return false;
  const { modifiedAt } = version.stored;
  if (modifiedAt === undefined || sameModified(found.mtimeMs, modifiedAt, stepOf(found)))
    return true;
  // A listing's time is cut to milliseconds. Node rounds that of a file: 0.9999999 becomes 1.
  return found.mtimeMs - modifiedAt === 1 && cutModified(path) === modifiedAt;
}

/** A file's modification time, cut to milliseconds. */
function cutModified(path: string): number {
  const { mtimeNs } = lstatSync(bytesOf(path), { bigint: true });
  return Number(mtimeNs / 1_000_000n);
}

/** The steps in which FAT and exFAT keep times, in milliseconds. */
const steps = [2000, 10];

/**
 * The step of a file system. It shows in a time that nobody can set, that of the last change to the inode: on
 * one that keeps times exactly, this is next to never a multiple.
 */
function stepOf({ mtimeMs, ctimeMs }: Found): number {
  return steps.find((step) => mtimeMs % step === 0 && ctimeMs % step === 0) ?? 1;
}

/**
 * Whether a time found may be the wanted one where times are cut to steps; all in milliseconds. File systems
 * and stores may know whole seconds only.
 */
export function sameModified(found: number, wanted: number, step = 1): boolean {
  if (Math.abs(found - wanted) < 1) return true;
  const coarse = found % 1000 === 0 || wanted % 1000 === 0;
  const unit = coarse ? Math.max(step, 1000) : step;
  return Math.floor(found / unit) === Math.floor(wanted / unit);
}

const askedAtOnce = 16;

/**
 * The same files, with the modification times that the listing did not tell, where they decide whether a
 * file at the target is the same: where one of that size is.
 */
export async function withTimes(
  { content, signal }: Pick<RestoreWork, "content" | "signal">,
  page: readonly PlannedFile[],
  sizeAtTarget: (planned: PlannedFile) => number | undefined,
): Promise<readonly PlannedFile[]> {
  const open = (planned: PlannedFile): boolean =>
    planned.version.stored.modifiedAt === undefined &&
    sizeAtTarget(planned) === planned.version.size;
  if (!page.some(open)) return page;
  const known = async (planned: PlannedFile): Promise<PlannedFile> => {
    if (!open(planned)) return planned;
    const { stored } = planned.version;
    const modifiedAt = await content.modifiedAt(stored, signal);
    return { ...planned, version: { ...planned.version, stored: { ...stored, modifiedAt } } };
  };
  return pMap(page, known, { concurrency: askedAtOnce });
}
