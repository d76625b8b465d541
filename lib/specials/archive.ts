import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { systemCode } from "../errors.ts";
import type { RawPath } from "../units/rawpath.ts";
import { archiveName, inspectArchive, temporaryName } from "./existing.ts";
import { findSpecials } from "./find.ts";
import type { Members } from "./members.ts";
import { describeMembers } from "./members.ts";
import { chooseIncluded } from "./shadow.ts";
import { findGnuTar, runTar } from "./tar.ts";
import { WriteFailure } from "./write-failure.ts";
import { removeArchive, removeStale, writeArchive } from "./write.ts";

export { archiveName } from "./existing.ts";

export interface SpecialsRequest {
  /** An absolute directory of this machine. */
  readonly source: string;
  /** False where the backup copies what links point at. */
  readonly linksAreSpecial: boolean;
  /** A private directory that no other run uses; the filters are asked by way of a tree in it. */
  readonly scratch: string;
  readonly now: Date;
  /** Lists the files below a directory, recursively, that the filters of the sync include. */
  readonly listIncluded: (directory: string) => AsyncIterable<readonly RawPath[]>;
  /** Directories below the source not to look into, such as a mounted /proc; relative. */
  readonly prune?: readonly string[];
  /** Nothing is written to the source; the state is the one that a real run would end in. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface SpecialsResult {
  /**
   * none: no special files · unchanged: the archive holds them already · written · removed: there are
   * none any more · foreign: a file of the user's stands in the archive's place · unwritable: the
   * archive could not be brought up to date.
   */
  readonly state: "none" | "unchanged" | "written" | "removed" | "foreign" | "unwritable";
  readonly members: number;
  readonly warning: string | undefined;
}

/**
 * Brings special-files.tar.gz at the source's root up to date: the devices, fifos and links there that
 * the filters include and rclone does not store. It is written only if what it holds has changed.
 * A source that can't be written to is a warning. Throws failed() without find or GNU tar (the latter
 * only if there is something to write) and interrupted() when the signal is aborted.
 */
export async function archiveSpecials(request: SpecialsRequest): Promise<SpecialsResult> {
  return attempt(request, false);
}

async function attempt(request: SpecialsRequest, last: boolean): Promise<SpecialsResult> {
  const { source, dryRun } = request;
  const existing = await inspectArchive(path.join(source, archiveName));
  const { members, unasked } = await collect(request);
  const count = members.paths.length;
  const result = (
    state: SpecialsResult["state"],
    warning = unasked === 0 ? undefined : unaskedWarning(unasked),
  ): SpecialsResult => ({ state, members: count, warning });

  if (count === 0) {
    if (!dryRun) await removeStale(source);
    if (existing.kind !== "ours") return result("none");
    const reason = await trying(async () =>
      dryRun ? access(source, constants.W_OK) : removeArchive(source),
    );
    if (reason === undefined) return result("removed");
    return result("unwritable", `the outdated ${archiveName} was not removed: ${reason}`);
  }
  if (existing.kind === "foreign") return result("foreign", foreignWarning(source, count));
  if (existing.kind === "ours" && existing.digest === members.digest) return result("unchanged");
  try {
    const reason = await write(request, members);
    if (reason === undefined) return result("written");
    return result("unwritable", notWritten(reason, count));
  } catch (error) {
    if (!(error instanceof WriteFailure)) throw error;
    // A member that went away meanwhile makes tar fail, so look again, once.
    if (!last) return attempt(request, true);
    return result("unwritable", notWritten(error.message, count));
  }
}

async function collect(
  request: SpecialsRequest,
): Promise<{ readonly members: Members; readonly unasked: number }> {
  const { source, scratch, linksAreSpecial: links, now, prune = [], signal } = request;
  const found = await findSpecials(source, { links, prune, signal });
  // Ours by its name, whatever stands there; it is about to be replaced.
  const candidates = found.filter((candidate) => candidate !== temporaryName);
  const { listIncluded } = request;
  const choice =
    candidates.length === 0
      ? { included: [], unasked: 0 }
      : await chooseIncluded({ candidates, scratch, listIncluded, signal });
  const members = await describeMembers(source, choice.included, { links, now, signal });
  return { members, unasked: choice.unasked };
}

/** Why nothing could be written; undefined if it was written. Throws WriteFailure if another try may help. */
async function write(request: SpecialsRequest, members: Members): Promise<string | undefined> {
  const { source, now, dryRun, signal } = request;
  // Asked first: where the source can't be written to anyway, the lack of tar is no trouble.
  const closed = await trying(async () => access(source, constants.W_OK));
  if (closed !== undefined || dryRun) return closed;
  const tar = await findGnuTar();
  const startTar = async () => runTar(tar, source, members.paths, signal);
  return trying(async () => writeArchive(source, members, { now, startTar }));
}

const reasons: Readonly<Record<string, string>> = {
  EROFS: "the source is on a read-only file system",
  EACCES: "the source may not be written to",
  EPERM: "the source may not be written to",
  ENOSPC: "the source's disk is full",
  EDQUOT: "the quota of the source's disk is used up",
};

/** Why an action on the source failed; undefined if it did not. Other errors are thrown. */
async function trying(action: () => Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    const reason = reasons[systemCode(error) ?? ""];
    if (reason === undefined) throw error;
    return reason;
  }
}

function notWritten(reason: string, count: number): string {
  return `${archiveName} was not written: ${reason}; ${notStored(count)}`;
}

function foreignWarning(source: string, count: number): string {
  return (
    `${path.join(source, archiveName)} was not made by this program (or can't be read) and is left alone; ` +
    `rename it, for ${notStored(count)}`
  );
}

function unaskedWarning(count: number): string {
  return `the names of ${count} special files are too long to ask the filters; they were archived`;
}

function notStored(count: number): string {
  return `${count} special ${count === 1 ? "file is" : "files are"} not in the backup`;
}
