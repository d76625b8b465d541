import { rename, rm } from "node:fs/promises";
import { failed, systemCode } from "../../errors.ts";
import { readCheckpoints, serverId } from "../../physical/checkpoints.ts";
import { markFiles } from "../../physical/digest.ts";
import { sealTree } from "../../physical/files.ts";
import type { Backup } from "../../physical/look.ts";
import { writeManifest, type Manifest } from "../../physical/manifest.ts";
import { backupName } from "../../physical/names.ts";
import type { Making as Plan } from "../../physical/plan.ts";
import { incrementOf, prepareChain } from "../../physical/prepare.ts";
import {
  backUp,
  UnfitBackup,
  type BackupProgram,
  type ProgramWorld,
} from "../../physical/program.ts";
import { isTested, type TestRule } from "../../physical/testrule.ts";
import { writeFailure } from "../../process/writefailure.ts";
import { syncDirectory } from "../../state/atomic.ts";
import { stepOf, type Place } from "./place.ts";

export interface Making {
  readonly place: Place;
  readonly program: BackupProgram;
  readonly test: TestRule;
  /** All that are there, in their order. */
  readonly backups: readonly Backup[];
  readonly world: ProgramWorld;
  readonly now: () => Date;
}

/**
 * Makes a backup under a temporary name, tests it, and gives it its own. What it was doing when it
 * failed is removed. Throws UnfitBackup where the backup is no good, failed where it couldn't be made.
 */
export async function makeBackup(plan: Plan, making: Making): Promise<Manifest> {
  const { place } = making;
  try {
    return await make(plan, making);
  } catch (error) {
    throw writeFailure(place.directory, error);
  } finally {
    // The next run does it where this one can't.
    for (const left of [place.made, place.test, incrementOf(place.test)])
      await rm(left, { recursive: true, force: true }).catch(() => {});
  }
}

async function make(plan: Plan, making: Making): Promise<Manifest> {
  const { place, program, backups, world, now } = making;
  const base = plan.kind === "incremental" ? plan.base : undefined;
  const chain = plan.kind === "incremental" ? plan.on.backups : [];
  const startedAt = now();
  const name = backupName(
    plan.kind,
    startedAt,
    backups.map((each) => each.name),
  );
  world.events.detail(1, `${name}: ${plan.reason}`);
  const on = base === undefined ? undefined : place.of(base.name);
  if (base !== undefined) await assertTold(base, place.of(base.name));
  const data = await backUp(program, place.made, on, world);
  const finishedAt = now();
  const files = await markFiles(place.made, await sealTree(place.made, world), world.signal);
  const found = await readCheckpoints(place.made);
  const server = await serverId(place.made, data);
  if (base === undefined) assertFull(found.type, place);
  else assertBuildsOn(base, found, server);
  const steps = [
    ...chain.map((each) => stepOf(place, each)),
    { directory: place.made, toLsn: found.toLsn, files },
  ];
  const isTestDue = isTested(making.test, plan.kind, chain.length);
  if (isTestDue) await prepareChain(steps, place.test, program, world);
  const manifest: Manifest = {
    version: 1,
    name,
    number: (backups.at(-1)?.number ?? 0) + 1,
    kind: plan.kind,
    chain: chain[0]?.name ?? name,
    base: base?.name ?? null,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    program: program.version,
    server,
    from_lsn: found.fromLsn,
    to_lsn: found.toLsn,
    tested_at: isTestDue ? now().toISOString() : null,
    broken: null,
    files: files.map(([...file]) => file),
  };
  await writeManifest(place.made, manifest);
  await rename(place.made, place.of(name));
  await syncDirectory(place.directory);
  return manifest;
}

function assertFull(type: string, place: Place): void {
  if (type !== "full-backuped")
    throw failed(`expected a full backup in ${place.made}, found one of type ${type}`);
}

/** An incremental backup begins where its base says that it ended: of a damaged one, none can be made. */
async function assertTold(base: Backup, directory: string): Promise<void> {
  const told = await readCheckpoints(directory).catch((cause: unknown) => {
    if (systemCode(cause) !== undefined) throw cause;
    throw new UnfitBackup("chain", cause instanceof Error ? cause.message : String(cause));
  });
  if (told.toLsn !== base.to_lsn)
    throw new UnfitBackup(
      "chain",
      `${directory}: expected checkpoints that end at LSN ${base.to_lsn}, found ${told.toLsn}`,
    );
}

/** An incremental backup of other data than the base's would be taken without a word. */
function assertBuildsOn(
  base: Backup,
  found: { readonly type: string; readonly fromLsn: string; readonly toLsn: string },
  server: string,
): void {
  const wrong =
    found.type !== "incremental"
      ? `a backup of type ${found.type}`
      : found.fromLsn !== base.to_lsn
        ? `that it begins at LSN ${found.fromLsn} instead of ${base.to_lsn}`
        : BigInt(found.toLsn) < BigInt(found.fromLsn)
          ? `that the server is at LSN ${found.toLsn}, before ${base.to_lsn}: it was set back`
          : server !== base.server
            ? "data of another server, or restored ones"
            : undefined;
  if (wrong === undefined) return;
  throw new UnfitBackup("server", `expected what changed since ${base.name}, found ${wrong}`);
}
