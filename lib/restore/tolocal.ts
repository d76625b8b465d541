import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemFromRaw } from "../units/encoding.ts";
import type { RawPath } from "../units/rawpath.ts";
import { BulkLists, isApart, isChecked, reasonFor } from "./bulk.ts";
import { copyLocally } from "./bulkcopies.ts";
import { fetchAll } from "./fetch.ts";
import {
  alreadyThere,
  bytesOf,
  clashAt,
  LocalTarget,
  look,
  pathProblem,
  systemPath,
} from "./local.ts";
import { looksLike, withTimes } from "./looks.ts";
import type { PlannedFile } from "./plan.ts";
import { stagingPrefix, whyRefused } from "./refusal.ts";
import { PlanSpool, type StagedFile } from "./spool.ts";
import type { Staging } from "./staging.ts";
import type { RestoreWork } from "./work.ts";

/**
 * Says which files have to be written below a directory of this machine, whose path holds no links
 * (undefined where it isn't there yet): not those that are there already, nor those that can't be put there,
 * which the tally is told of. Changes nothing.
 */
export async function examineLocal(
  work: RestoreWork,
  root: string | undefined,
): Promise<PlanSpool> {
  const target =
    root === undefined || isEmpty(root) ? undefined : new LocalTarget(systemPath(root));
  if (target === undefined && !work.plan.hasRefused) return work.plan;
  const todo = new PlanSpool(join(work.scratch, "todo"));
  for await (const page of work.plan.read()) {
    work.signal.throwIfAborted();
    const sizeOf = ({ target: name }: PlannedFile): number | undefined =>
      target === undefined || whyRefused(name) !== undefined ? undefined : sizeAt(target, name);
    for (const planned of target === undefined ? page : await withTimes(work, page, sizeOf)) {
      const why =
        whyRefused(planned.target) ??
        (target === undefined ? undefined : standing(work, target, planned));
      if (why === undefined) todo.write(planned);
      else if (why !== done) work.tally.fail(planned.path, why);
    }
  }
  todo.close();
  return todo;
}

/** Whether nothing is in a directory but what a killed restore left. */
export function isEmpty(root: string): boolean {
  return readdirSync(root).every((name) => name.startsWith(stagingPrefix));
}

/**
 * Writes what examineLocal found to be done. Files are finished and looked at in the staging directory
 * and then moved into place. What fails is in the tally. Throws when going on makes no sense; run
 * again, it goes on.
 */
export async function restoreToLocal(
  work: RestoreWork,
  todo: PlanSpool,
  root: string,
  staging: Staging,
): Promise<void> {
  const target = new LocalTarget(systemPath(root));
  const staged = new PlanSpool<StagedFile>(join(work.scratch, "staged"));
  const byHand = await copyMany(work, todo, staging, staged);
  await fetchAll(
    {
      work,
      parts: staging.parts,
      into: systemPath(staging.files),
      total: byHand,
      onFetched: (planned, checked) => staged.write(stagedFile(planned, checked)),
    },
    byHand,
  );
  staged.close();
  await place(work, target, staging, staged);
}

/** Undefined also where it can't be looked at: standing() says why. */
function sizeAt(target: LocalTarget, name: RawPath): number | undefined {
  const file = target.at(systemFromRaw(name));
  try {
    return look(file)?.size;
  } catch (error) {
    pathProblem(file, error);
    return undefined;
  }
}

const done = "done";

/** What is against writing a file: that it is there already, or something else is. */
function standing(
  work: RestoreWork,
  target: LocalTarget,
  planned: PlannedFile,
): string | undefined {
  const relative = systemFromRaw(planned.target);
  const refused = target.whyNot(relative, false);
  if (refused !== undefined) return refused;
  const file = target.at(relative);
  let found;
  try {
    found = look(file);
  } catch (error) {
    return pathProblem(file, error);
  }
  if (found === undefined) return undefined;
  if (looksLike(file, found, planned.version)) {
    work.tally.already.add(planned);
    return done;
  }
  if (found.isDirectory()) return "expected a file or nothing there, found a directory";
  return work.overwrite ? undefined : alreadyThere;
}

/**
 * Lets rclone copy what it can into the staging directory, and looks at every file. Returns what it couldn't
 * copy, or copied wrongly.
 */
async function copyMany(
  work: RestoreWork,
  todo: PlanSpool,
  staging: Staging,
  staged: PlanSpool<StagedFile>,
): Promise<PlanSpool> {
  const byHand = new PlanSpool(join(work.scratch, "by-hand"));
  const lists = new BulkLists(work.scratch);
  for await (const page of todo.read()) {
    for (const planned of page) {
      const source = work.bulk(planned);
      if (source !== undefined) lists.add(source, planned);
    }
  }
  const copies = lists.close();
  const whole = work.whole && copies.length === 1 && todo.files === work.plan.files;
  const told = await copyLocally(
    work,
    copies.map(({ source, list, apart, timed }, index) => ({
      ...{ source, timed, fresh: staging.fresh },
      list: whole && !apart ? undefined : list,
      destination: apart ? staging.bulk(index) : staging.files,
    })),
    todo,
  );
  const into = systemPath(staging.files);
  const bad = (index: number, { path }: PlannedFile): boolean => {
    const reasons = told[index];
    return reasons !== undefined && reasonFor(reasons, path) !== undefined;
  };
  for await (const page of todo.read()) {
    for (const planned of page) {
      const source = work.bulk(planned);
      const index = source === undefined ? -1 : lists.indexOf(source, planned);
      const from = isApart(planned) ? systemPath(staging.bulk(index)) : into;
      if (source !== undefined && arrived(planned, from, into, bad(index, planned)))
        staged.write(stagedFile(planned, isChecked(work, planned)));
      else {
        const clash = clashAt(into, systemFromRaw(planned.target));
        if (clash === undefined) byHand.write(planned);
        else work.tally.fail(planned.path, clash);
      }
    }
  }
  byHand.close();
  for (const index of copies.keys()) rmSync(staging.bulk(index), { recursive: true, force: true });
  return byHand;
}

/** No more than is needed to move it: there may be millions. */
function stagedFile({ path, target, version }: PlannedFile, checked: boolean): StagedFile {
  return { path, target, version: { size: version.size }, checked };
}

/** Whether rclone copied the right version; one that gets another name gets it now. */
function arrived(planned: PlannedFile, from: string, into: string, bad: boolean): boolean {
  const file = `${from}/${systemFromRaw(planned.path)}`;
  const found = look(file);
  const to = `${into}/${systemFromRaw(planned.target)}`;
  if (found === undefined || bad || !looksLike(file, found, planned.version)) {
    // What is wrong must not be moved into place with its directory. A directory holds other files.
    if (found !== undefined && !found.isDirectory()) rmSync(bytesOf(file), { force: true });
    return false;
  }
  if (file === to) return true;
  if (clashAt(into, systemFromRaw(planned.target)) !== undefined) return false;
  mkdirSync(bytesOf(to.slice(0, to.lastIndexOf("/"))), { recursive: true });
  renameSync(bytesOf(file), bytesOf(to));
  return true;
}

async function place(
  work: RestoreWork,
  target: LocalTarget,
  staging: Staging,
  staged: PlanSpool<StagedFile>,
): Promise<void> {
  const from = systemPath(staging.files);
  // Directories can be moved as they are when nothing is in them but what belongs there.
  const refused = new Map<string, string>();
  const asTree = staging.fresh && countFiles(staging.files) === staged.files;
  if (asTree)
    target.putTree(from, "", work.overwrite, (relative, why) => refused.set(relative, why));
  for await (const page of staged.read()) {
    for (const file of page) {
      const relative = systemFromRaw(file.target);
      const why = asTree
        ? refused.get(relative)
        : target.put(`${from}/${relative}`, relative, work.overwrite);
      if (why === undefined) work.tally.written(file, file.checked);
      else work.tally.fail(file.path, why);
    }
  }
}

function countFiles(directory: string | Buffer): number {
  let count = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, encoding: "buffer" })) {
    count += entry.isDirectory() ? countFiles(inside(directory, entry.name)) : 1;
  }
  return count;
}

function inside(directory: string | Buffer, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(directory), Buffer.from("/"), name]);
}
