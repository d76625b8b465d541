import pMap from "p-map";
import type { Entry } from "../../manifest/entry.ts";
import type { WantedCurrent } from "../../stores/dir/change.ts";
import type { DirStore } from "../../stores/dir/open.ts";
import type { StoredVersion } from "../../stores/store.ts";
import type { OpenHistory } from "../openhistory.ts";
import type { RecoverFailure } from "./options.ts";
import type { PlannedStep } from "./spool.ts";

/** What came of steps so far. */
export interface CarriedOut {
  done: number;
  readonly failures: RecoverFailure[];
}

/** Steps that go to the store together; on dated directories they become one run. */
export const stepsAtOnce = 10_000;
const requestsAtOnce = 8;
/** After so many failures nothing more is begun. */
const mostFailures = 100;

const isOtherNow = "expected it as it was shown, found it changed since: it is left as it is";

/**
 * Does what was decided, and counts it in `sofar`, what fails for one file too. A file on which something
 * else has come meanwhile is left alone and counts as failed. Throws when a signal came or nobody can
 * tell what became of some; the counts are those of what was done.
 */
export async function carryOutAll(
  history: OpenHistory,
  pages: AsyncIterable<readonly PlannedStep[]>,
  sofar: CarriedOut,
): Promise<void> {
  const { dir, session } = history;
  if (dir !== undefined) return inDirectories(dir, session.world.signal, pages, sofar);
  for await (const steps of pages) {
    await inStore(history, steps, sofar);
    if (sofar.failures.length >= mostFailures) break;
  }
}

/** A step that the store could not do. */
interface Blocked {
  readonly step: PlannedStep;
  readonly reason: string;
}

async function inDirectories(
  dir: DirStore,
  signal: AbortSignal,
  pages: AsyncIterable<readonly PlannedStep[]>,
  sofar: CarriedOut,
): Promise<void> {
  let blocked: Blocked[] = [];
  let runs = 0;
  for await (const steps of pages) {
    const before = sofar.done;
    runs += 1;
    blocked.push(...(await asOneRun(dir, signal, steps, sofar)));
    // Where nothing goes any more, it is not about single files.
    if (sofar.failures.length + blocked.length >= mostFailures && sofar.done === before) break;
  }
  // What a later run took away may have been in the way of an earlier one.
  if (runs > 1 && blocked.length > 0) {
    const again = blocked.slice(0, stepsAtOnce).map(({ step }) => step);
    blocked = [...(await asOneRun(dir, signal, again, sofar)), ...blocked.slice(stepsAtOnce)];
  }
  sofar.failures.push(...blocked.map(({ step: { path }, reason }) => ({ path, reason })));
}

/** Returns the steps that could not be done. */
async function asOneRun(
  dir: DirStore,
  signal: AbortSignal,
  steps: readonly PlannedStep[],
  sofar: CarriedOut,
): Promise<readonly Blocked[]> {
  const wanted = steps.map((step): WantedCurrent =>
    step.action === "hide"
      ? { kind: "nothing", name: step.name }
      : { kind: "version", version: step.version },
  );
  const byName = new Map(steps.map((step) => [step.name, step]));
  const left: PlannedStep[] = [];
  const failed = await dir.changeCurrent(wanted, signal, (name, there) => {
    const step = byName.get(name);
    if (step !== undefined && isThere(step.top[0], there)) return true;
    if (step !== undefined) left.push(step);
    return false;
  });
  sofar.done += steps.length - left.length - failed.size;
  sofar.failures.push(...left.map(({ path }) => ({ path, reason: isOtherNow })));
  return steps.flatMap((step) => {
    const reason = failed.get(step.name);
    return reason === undefined ? [] : [{ step, reason }];
  });
}

/** Whether the newest entry that was shown is what lies at its name; for a deletion that is nothing. */
function isThere(newest: StoredVersion | undefined, there: Entry | undefined): boolean {
  if (newest === undefined || newest.kind === "marker" || there === undefined)
    return newest?.kind === "marker" && there === undefined;
  const time = Date.parse(there.time);
  const isThatTime = newest.modifiedAt === (Number.isNaN(time) ? undefined : time);
  return newest.size === Math.max(there.size, 0) && isThatTime;
}

async function inStore(
  { store, session }: OpenHistory,
  steps: readonly PlannedStep[],
  sofar: CarriedOut,
): Promise<void> {
  const { signal } = session.world;
  const { failures } = sofar;
  const attempt = async (step: PlannedStep): Promise<void> => {
    signal.throwIfAborted();
    if (failures.length >= mostFailures) return;
    try {
      const now = await store.versionsOf(step.name, signal);
      if (!isOnTop(step.top, now)) throw new Error(isOtherNow);
      if (step.action === "hide") await store.hide(step.name, signal);
      else if (step.action === "restore") await store.makeCurrent(step.version, signal);
      else for (const marker of step.top.slice(0, -1)) await removeMarker(store, marker, signal);
      sofar.done += 1;
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      failures.push({ path: step.path, reason });
    }
  };
  await pMap(steps, attempt, { concurrency: requestsAtOnce });
}

/** Whether these entries are the newest of the file still. */
function isOnTop(top: readonly StoredVersion[], now: readonly StoredVersion[]): boolean {
  return top.every(({ kind, id, size }, at) => {
    const found = now[at];
    return found?.kind === kind && found.id === id && found.size === size;
  });
}

async function removeMarker(
  store: OpenHistory["store"],
  marker: StoredVersion,
  signal: AbortSignal,
): Promise<void> {
  const [removal] = await store.remove([marker], signal);
  if (removal === undefined) throw new Error("expected an answer of the store, found none");
  if (removal.result === "failed") throw removal.error;
}
