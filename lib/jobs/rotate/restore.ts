import { lstat, mkdir, readdir, rename, rm, unlink } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode, usage, type Outcome } from "../../errors.ts";
import { chainsOf } from "../../physical/chains.ts";
import { chooseSteps } from "../../physical/choose.ts";
import { readTree, sealTree } from "../../physical/files.ts";
import { lookAt, type Backup } from "../../physical/look.ts";
import { series } from "../../physical/plan.ts";
import { prepareChain } from "../../physical/prepare.ts";
import { findBackupProgram, programEnvironment } from "../../physical/program.ts";
import { syncDirectory } from "../../state/atomic.ts";
import { realpathOfMissing } from "../../state/realpath.ts";
import { lockPlace, optionFile, Place, stepOf, type RotateWorld } from "./place.ts";

export interface RestoreOptions {
  readonly directory: string;
  /** A time, or the name of a backup. */
  readonly at: string;
  /** A directory that is empty or not there. */
  readonly target: string;
  readonly program: string | undefined;
  readonly defaultsFile: string | undefined;
  readonly dryRun: boolean;
}

export interface RestoreResult {
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  /** The backups that are put together, the full one first. */
  readonly steps: readonly Backup[];
  readonly target: string;
}

/**
 * Makes a data directory that a server can be started on: of the newest backup that was finished by a
 * time. The backups themselves are only read. The target appears whole or not at all.
 * Throws usage for a wrong time or target, failed where no such backup can be restored.
 */
export async function restoreRotation(
  options: RestoreOptions,
  world: RotateWorld,
): Promise<RestoreResult> {
  const place = new Place(realpathOfMissing(path.resolve(world.cwd, options.directory)));
  const target = path.resolve(world.cwd, options.target);
  const owner = await ownerOf(target);
  const lock = await lockPlace(place, "shared", world);
  try {
    const { backups, foreign } = await lookAt(place.directory, world.signal);
    for (const name of foreign) world.events.warn(`passed over, since it is no backup: ${name}`);
    const steps = chooseSteps(chainsOf(backups), options.at, world.now());
    for (const { name, broken } of steps)
      if (broken !== null)
        world.events.warn(`${name} was found broken at ${broken.at}: ${broken.reason}`);
    const result = { outcome: "done", dryRun: options.dryRun, steps, target } as const;
    const { signal, events } = world;
    const programWorld = { env: programEnvironment(world.env), signal, events, lock: lock?.fd };
    const defaultsFile = await optionFile(options.defaultsFile, world);
    const found = await findBackupProgram(options.program, defaultsFile, programWorld);
    const made = steps[0]?.program ?? "";
    if (series(made) !== series(found.version))
      world.events.warn(
        `the backups were made by version ${made} of mariadb-backup, and this is ${found.version}: prepare them with the same series, which --program can name`,
      );
    if (options.dryRun) return result;
    const work = await makeWork(target, events);
    const data = path.join(work, "data");
    try {
      const links = steps.map((step) => stepOf(place, step));
      await prepareChain(links, data, found, programWorld);
      await dropLinks(data, events);
      await sealTree(data, { owner, signal });
      // An empty directory gives way to another one.
      await rename(data, target);
      await syncDirectory(path.dirname(target));
    } finally {
      await rm(work, { recursive: true, force: true }).catch(() => {});
    }
    return result;
  } finally {
    await lock?.release();
  }
}

/** Who owns the target, if it is there: the server's user then. Throws usage where it can't be the target. */
async function ownerOf(
  target: string,
): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  const parent = await lstat(path.dirname(target)).catch(() => undefined);
  if (parent === undefined)
    throw usage(`expected ${path.dirname(target)} to be there, found that it isn't`);
  const there = await lstat(target).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (there === undefined) return undefined;
  const hint = "name a directory that is not there yet; a server's own must be moved away first";
  if (!there.isDirectory())
    throw usage(`expected a directory at ${target}, found something else`, { hint });
  const [entry] = await readdir(target);
  if (entry !== undefined)
    throw usage(`expected an empty directory at ${target}, found ${entry} in it`, { hint });
  if (there.dev !== parent.dev)
    throw usage(`expected a plain directory at ${target}, found a mount point`, { hint });
  return there;
}

/** A directory beside the target, so that what is made there can be renamed. */
async function makeWork(target: string, events: RotateWorld["events"]): Promise<string> {
  const folder = path.dirname(target);
  const beginning = `.${path.basename(target)}.mariadb-rotate-`;
  const work = path.join(folder, `${beginning}${process.pid}`);
  for (const name of (await readdir(folder)).filter((each) => each.startsWith(beginning)))
    events.warn(
      `${path.join(folder, name)} is what another restore is making, or left when killed`,
    );
  // A killed run had our pid.
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(work, { mode: 0o700 });
  } catch (cause) {
    throw failed(`cannot make the directory ${work} (${systemCode(cause) ?? String(cause)})`, {
      cause,
    });
  }
  return work;
}

/**
 * A table with a DATA DIRECTORY of its own lies in the backup like any other, with a file that names its
 * old place: a server would go on with what is there. Without that file it takes what was restored.
 */
async function dropLinks(data: string, events: RotateWorld["events"]): Promise<void> {
  for (const [name] of readTree(data).files.filter(([each]) => each.endsWith(".isl"))) {
    await unlink(path.join(data, name));
    events.warn(
      `${name.slice(0, -4)} had a DATA DIRECTORY; its table is in the data directory now`,
    );
  }
}
