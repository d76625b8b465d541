import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { FileHistory } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import { placeKey } from "../rclone/resolve.ts";
import type { PlannedFile } from "../restore/plan.ts";
import { PlanSpool } from "../restore/spool.ts";
import { hasStaging, openStaging } from "../restore/staging.ts";
import { Tally } from "../restore/tally.ts";
import { examineLocal, isEmpty, restoreToLocal } from "../restore/tolocal.ts";
import { examineRemote, remoteTarget, restoreToRemote } from "../restore/toremote.ts";
import type { RestoreWork } from "../restore/work.ts";
import { acquireLock } from "../state/lock.ts";
import { Doubts } from "./restore/doubts.ts";
import type { ListOptions, RestoreOptions, RestoreResult } from "./restore/options.ts";
import { withHistory, type OpenHistory } from "./openhistory.ts";
import { makePlan } from "./restore/planning.ts";
import { makeSelection } from "./restore/select.ts";
import { makeRoot, openTarget, warnOfSpace, type RestoreTarget } from "./restore/target.ts";
import { viewHistory, type HistoryView } from "./restore/view.ts";
import type { Session } from "./session.ts";
import { lockFile } from "./statefiles.ts";

/**
 * Restores files as they were at a time, or every version of them: plans, looks at what the target
 * holds, copies, looks at what was written, and moves it into place. What fails for single files is in the
 * result. Throws a Failure when nothing is found, the target can't be written or going on makes no
 * sense; run again, it goes on where it stopped.
 */
export async function restore(session: Session, options: RestoreOptions): Promise<RestoreResult> {
  const target = await openTarget(session, options.target);
  return withHistory(session, { ...request, needs: ["readFiles"] }, async (history) => {
    const writes = target.kind === "remote" ? options.target : undefined;
    const view = await viewHistory(history, options, writes);
    return restoreFrom({ session: history.session, history, options, view, target });
  });
}

/**
 * Hands on the versions of the files that are meant. Throws failed() when there are none.
 */
export async function listVersions(session: Session, options: ListOptions): Promise<void> {
  await withHistory(session, request, async (history) => {
    const view = await viewHistory(history, options, undefined);
    const selection = await makeSelection(options.patterns);
    const selected = selection.select(view.histories(selection.directory));
    const doubts = new Doubts(options);
    const versions = options.asOf === undefined ? everyVersion(selected) : doubts.plan(selected);
    await options.onVersions(
      history.found?.crypts.length === 0
        ? versions
        : await sorted(versions, history.scratch, session.world.signal),
    );
    view.report();
    selection.demand(view.place);
    const shown = "--list without --as-of shows every version";
    doubts.tell(session.world.events, view.place, shown);
  });
}

async function* everyVersion(histories: Pages<FileHistory>): Pages<PlannedFile> {
  const rest = { deleted: false, uncertain: false, outdated: false };
  for await (const page of histories)
    yield page.flatMap(({ path, versions }) =>
      versions.map((version) => ({ path, target: path, version, ...rest })),
    );
}

/** Encrypted names come in another order than a reader expects. */
async function sorted(
  versions: Pages<PlannedFile>,
  scratch: string,
  signal: AbortSignal,
): Promise<Pages<PlannedFile>> {
  const spool = new PlanSpool(join(scratch, "versions"));
  for await (const page of versions) for (const version of page) spool.write(version);
  spool.close();
  return spool.sorted(scratch, signal);
}

/** Backups and whatever deletes must wait; other readers may run. */
const request = { mode: "shared", command: "rclone-restore" } as const;

interface Restoration {
  readonly session: Session;
  readonly history: OpenHistory;
  readonly options: RestoreOptions;
  readonly view: HistoryView;
  readonly target: RestoreTarget;
}

async function restoreFrom(given: Restoration): Promise<RestoreResult> {
  const { session, options, view, target } = given;
  const { scratch } = given.history;
  const tally = new Tally();
  const plan = new PlanSpool(join(scratch, "plan"));
  await makePlan(given, plan, tally);
  const work: RestoreWork = {
    ...{ rclone: session.rclone, features: session.features, tuning: session.tuning },
    ...{ plan, tally, scratch, content: view.content, overwrite: options.overwrite },
    ...{ bulk: view.bulk, bulkChecks: view.bulkChecks },
    whole: view.whole && options.patterns.length === 0,
    ...{ signal: session.world.signal, events: session.world.events },
  };
  const todo = await (target.kind === "local" ? toLocal : toRemote)(given, work);
  return {
    name: session.backup.name,
    target: target.kind === "local" ? target.root : target.shown,
    ...{ asOf: options.asOf, dryRun: options.dryRun },
    planned: { files: plan.files + tally.missed, bytes: plan.bytes },
    restored: options.dryRun ? { files: todo.files, bytes: todo.bytes } : tally.restored,
    ...{ already: tally.already, verified: tally.verified, unverified: tally.unverified },
    ...{ uncertain: tally.uncertain, outdated: tally.outdated },
    ...{ failures: tally.failures, failureCount: tally.failureCount },
    outcome: tally.failureCount > 0 ? "partial" : "done",
  };
}

async function toLocal(given: Restoration, work: RestoreWork): Promise<PlanSpool> {
  const { session, options, target } = given;
  if (target.kind !== "local") throw new TypeError("expected a directory of this machine");
  const todo = await examineLocal(work, target.exists ? target.root : undefined);
  if (target.exists && !isEmpty(target.root) && work.tally.already.files === 0)
    session.world.events.warn(`${target.root} is not empty; what is in it stays as it is`);
  if (options.dryRun) {
    await options.onPlan(todo.read());
    return todo;
  }
  const key = placeKey(session.destinationPlace);
  // What a killed run left is removed, also where nothing else is left to do.
  if (todo.files === 0 && !(target.exists && hasStaging(target.root, key))) return todo;
  const root = await makeRoot(target.root);
  await warnOfSpace(session, root, todo.bytes);
  // Two restores of one backup into one directory would take each other's files.
  const own = await acquireLock(await stagingLock(session, root), {
    mode: "exclusive",
    command: `rclone-restore --to ${root}`,
    signal: session.world.signal,
    now: session.world.now,
  });
  try {
    const staging = await openStaging(root, key);
    const kept = work.tally.failureCount;
    if (todo.files > 0) await restoreToLocal(work, todo, root, staging);
    await staging.remove(work.tally.failureCount > kept);
  } finally {
    await own.release();
  }
  return todo;
}

async function toRemote(given: Restoration, work: RestoreWork): Promise<PlanSpool> {
  const { options, target } = given;
  if (target.kind !== "remote") throw new TypeError("expected a place of rclone's");
  const rclone = { ...work.rclone, env: { ...work.rclone.env, ...target.env } };
  const there = { ...work, rclone };
  const place = remoteTarget(there, target.location);
  const todo = await examineRemote(there, place);
  if (options.dryRun) await options.onPlan(todo.read());
  else if (todo.files > 0) await restoreToRemote(there, todo, place);
  return todo;
}

async function stagingLock(session: Session, root: string): Promise<string> {
  const key = createHash("sha256").update(root).digest("hex").slice(0, 16);
  return join(dirname(await lockFile(session)), `restore-${key}.lock`);
}
