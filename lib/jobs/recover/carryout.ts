import pMap from "p-map";
import type { FileHistory } from "../../history/history.ts";
import type { WantedCurrent } from "../../stores/dir/change.ts";
import type { StoredVersion } from "../../stores/store.ts";
import type { OpenHistory } from "../openhistory.ts";
import type { RecoverFailure, RecoverStep } from "./options.ts";

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

/**
 * Does what was decided, and counts it in `sofar`, what fails for one file too. Throws when a signal came or
 * a whole run of steps failed; the counts are those of what was done.
 */
export async function carryOutAll(
  history: OpenHistory,
  pages: AsyncIterable<readonly RecoverStep[]>,
  sofar: CarriedOut,
): Promise<void> {
  for await (const steps of pages) {
    if (history.dir === undefined) await inStore(history, steps, sofar);
    else await inDirectories(history, steps, sofar);
    if (sofar.failures.length >= mostFailures) break;
  }
}

async function inDirectories(
  { dir, session }: OpenHistory,
  steps: readonly RecoverStep[],
  sofar: CarriedOut,
): Promise<void> {
  const wanted = steps.map((step): WantedCurrent =>
    step.action === "hide"
      ? { kind: "nothing", name: step.file.name }
      : { kind: "version", version: step.version.stored },
  );
  await dir?.changeCurrent(wanted, session.world.signal);
  sofar.done += steps.length;
}

async function inStore(
  { store, session }: OpenHistory,
  steps: readonly RecoverStep[],
  sofar: CarriedOut,
): Promise<void> {
  const { signal } = session.world;
  const { failures } = sofar;
  const attempt = async (file: FileHistory, act: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted();
    if (failures.length >= mostFailures) return;
    try {
      await act();
      sofar.done += 1;
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push({ file, reason: error instanceof Error ? error.message : String(error) });
    }
  };
  await pMap(
    steps,
    (step) =>
      attempt(step.file, async () => {
        if (step.action === "hide") await store.hide(step.file.name, signal);
        else if (step.action === "restore") await store.makeCurrent(step.version.stored, signal);
        else for (const marker of hiding(step.file)) await removeMarker(store, marker, signal);
      }),
    { concurrency: requestsAtOnce },
  );
}

/** The markers on top of the newest content. */
function hiding({ entries }: FileHistory): readonly StoredVersion[] {
  const first = entries.findIndex(({ kind }) => kind === "file");
  return entries.slice(0, Math.max(first, 0));
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
