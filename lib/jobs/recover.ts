import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { refused, usage } from "../errors.ts";
import { LineSpool } from "../process/spool.ts";
import { acquireLock } from "../state/lock.ts";
import { readPaused, writePaused } from "../state/paused.ts";
import { formatFiles } from "../units/format.ts";
import { rawFromText } from "../units/rawpath.ts";
import { distrustManifest } from "./changerecord.ts";
import { withEnds } from "./ended.ts";
import { withHistory, type OpenHistory } from "./openhistory.ts";
import { held, watchForeign } from "./ours.ts";
import { carryOutAll, stepsAtOnce, type CarriedOut } from "./recover/carryout.ts";
import type { RecoverOptions, RecoverPlan, RecoverResult, RecoverStep } from "./recover/options.ts";
import { planFile } from "./recover/plan.ts";
import { judgeSeen, nothingSeen, see, type Seen } from "./recover/seen.ts";
import { readSteps, spoolStep } from "./recover/spool.ts";
import type { Session } from "./session.ts";
import { lockFile, stateFiles } from "./statefiles.ts";

/**
 * Brings back what was deleted from the backup, or rolls all of it back to a time. It never deletes a
 * version: a roll-back adds copies and markers, and can itself be rolled back. It leaves the backup
 * paused, or the next night would store the damaged source again.
 * Throws refused when the answer is no, and what the store throws; run again it goes on.
 */
export async function recover(session: Session, options: RecoverOptions): Promise<RecoverResult> {
  const { wish, dryRun } = options;
  const needs =
    wish.kind === "as-of" ? (["readFiles", "writeFiles"] as const) : (["deleteFiles"] as const);
  return withHistory(
    session,
    { mode: "exclusive", command: "rclone-recover", needs: dryRun ? [] : needs },
    (history) => recoverFrom(history, options),
  );
}

async function recoverFrom(history: OpenHistory, options: RecoverOptions): Promise<RecoverResult> {
  const { session, files } = history;
  const { backup } = session;
  const { wish, dryRun } = options;
  const asOf = wish.kind === "as-of" ? new Date(wish.time).toISOString() : undefined;
  const begun = await readPaused(files.paused);
  // The same roll-back was begun before: what is current since then is its work.
  const earlier = begun?.asOf === asOf ? begun : undefined;
  const since = earlier === undefined ? undefined : Date.parse(earlier.since);
  const seen = nothingSeen();
  // What is done is what was shown and asked about: what the store gets meanwhile stays.
  const spooled = join(history.scratch, "steps");
  const plan = await planAll(history, options, since, seen, dryRun ? undefined : spooled);
  judgeSeen(history, wish, seen);
  const result = { name: backup.name, outcome: "done", dryRun, plan, done: 0 } as const;
  const nothing = plan.undelete + plan.restore + plan.hide === 0;
  // What is current now is older than that, whatever the clocks say; what is put there is not.
  const start = earlier?.since ?? new Date(seen.newest + 1).toISOString();
  const paused = asOf === undefined ? undefined : { since: start, asOf, complete: false };
  if (dryRun || (nothing && earlier?.complete !== false)) {
    // The backup is as it was then, but the source may not be: the next run would store that.
    const pauses = !dryRun && paused !== undefined && earlier === undefined;
    if (pauses) await writePaused(files.paused, { ...paused, complete: true });
    return { ...result, failures: [], paused: pauses || begun !== undefined };
  }
  if (!nothing && !(await options.confirm(plan)))
    throw refused("expected yes, found another answer: nothing was changed", {
      hint: "--yes goes on without asking; -n only shows what would be done",
    });
  if (paused !== undefined) await writePaused(files.paused, paused);
  await distrustManifest(files);
  const sofar: CarriedOut = { done: 0, failures: [] };
  try {
    await carryOutAll(history, readSteps(spooled, stepsAtOnce), sofar);
  } catch (error) {
    if (sofar.done > 0)
      session.world.events.warn(
        `${formatFiles(sofar.done)} ${sofar.done === 1 ? "was" : "were"} recovered before the end: run again to go on`,
      );
    throw error;
  }
  const { done, failures } = sofar;
  if (paused !== undefined && failures.length === 0)
    await writePaused(files.paused, { ...paused, complete: true });
  return {
    ...result,
    ...{ outcome: failures.length > 0 ? "partial" : "done", done, failures },
    paused: paused !== undefined || begun !== undefined,
  };
}

/**
 * Decides on every file, shows what would be done and counts it, and spools it to a file, if one is
 * given.
 */
async function planAll(
  history: OpenHistory,
  { wish, onSteps }: Pick<RecoverOptions, "wish" | "onSteps">,
  since: number | undefined,
  seen: Seen,
  spooled: string | undefined,
): Promise<RecoverPlan> {
  const { events, signal } = history.session.world;
  const plan = { undelete: 0, restore: 0, hide: 0, bytes: 0 };
  const spool = spooled === undefined ? undefined : new LineSpool(spooled);
  const pages = history.histories(rawFromText(""), watchForeign(events, seen));
  try {
    for await (const page of held(history, withEnds(history, pages), seen)) {
      signal.throwIfAborted();
      const steps: RecoverStep[] = [];
      for (const file of page) {
        see(seen, file, wish);
        const step = planFile(file, wish, since);
        if (step === undefined) continue;
        steps.push(step);
        add(plan, step);
        if (spool !== undefined) spoolStep(spool, step);
      }
      if (steps.length > 0) await onSteps(steps);
    }
  } finally {
    spool?.close();
  }
  return plan;
}

function add(
  plan: { undelete: number; restore: number; hide: number; bytes: number },
  step: RecoverStep,
): void {
  plan[step.action] += 1;
  if (step.action !== "hide") plan.bytes += step.version.size;
}

/**
 * Lets a backup that was rolled back run again. Throws a usage failure when it is not paused, refused
 * when the roll-back was cut off, unless that is to be left `incomplete`.
 */
export async function resume(
  session: Session,
  { incomplete }: { readonly incomplete: boolean },
): Promise<void> {
  const { world, backup } = session;
  const lock = await acquireLock(await lockFile(session), {
    mode: "exclusive",
    command: `rclone-recover --resume ${backup.name}`,
    signal: world.signal,
    now: world.now,
  });
  try {
    const files = await stateFiles(session);
    // A damaged file says that there was a roll-back, and not whether all of it was done.
    const paused = incomplete ? undefined : await readPaused(files.paused);
    if (!existsSync(files.paused))
      throw usage(`${backup.name}: expected a paused backup, found one that is not`);
    if (paused !== undefined && !paused.complete)
      throw refused(
        `${backup.name}: expected a roll-back that was done, found one to ${paused.asOf} that was cut off`,
        {
          hint: `rclone-recover --as-of ${paused.asOf} ${backup.name} goes on with it; --resume --yes leaves it as it is`,
        },
      );
    await rm(files.paused);
  } finally {
    await lock.release();
  }
}
