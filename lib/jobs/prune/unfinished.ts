import { Failure, failed } from "../../errors.ts";
import { rawFromText, textFromRaw } from "../../units/rawpath.ts";
import type { OpenHistory } from "../openhistory.ts";
import { held, noNames, watchForeign } from "../ours.ts";

const day = 86_400_000;

export interface Unfinished {
  readonly cancelled: number;
  readonly bytes: number;
  /** Why not all of them were. */
  readonly problem?: Failure;
}

/**
 * Cancels uploads below the backup's place of which no part has arrived for a day; a younger one
 * may be another program at work, and one whose name is not ours is. Without `changes` they are only
 * counted. What goes wrong is in the result, beside what was done until then.
 */
export async function cancelUnfinished(
  { store, session, names }: OpenHistory,
  now: number,
  changes: boolean,
): Promise<Unfinished> {
  const { signal, events } = session.world;
  let [cancelled, bytes] = [0, 0];
  try {
    for await (const page of store.unfinished(rawFromText(""), signal)) {
      const paths = names.decode(page.map(({ name }) => name));
      for (const [index, upload] of page.entries()) {
        const path = paths[index];
        if (path === undefined || now - upload.lastPartAt < day) continue;
        if (changes) await store.cancel(upload, signal);
        cancelled += 1;
        bytes += upload.size;
        events.detail(
          1,
          `${changes ? "cancelled" : "would cancel"} the upload begun ${new Date(upload.startedAt).toISOString()}: ${textFromRaw(path)}`,
        );
      }
    }
    return { cancelled, bytes };
  } catch (error) {
    return { cancelled, bytes, problem: asFailure(error, signal) };
  }
}

function asFailure(error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) return new Failure("interrupted", "stopped by a signal", { cause: error });
  if (error instanceof Failure) return error;
  return failed(error instanceof Error ? error.message : String(error), { cause: error });
}

/**
 * Throws failed unless the first names of the history decrypt: where files are not looked at, nothing
 * else says that the password is right.
 */
export async function requireOurFiles(history: OpenHistory): Promise<void> {
  const seen = noNames();
  const pages = history.histories(
    rawFromText(""),
    watchForeign(history.session.world.events, seen),
  );
  for await (const page of held(history, pages, seen)) if (page.length > 0) return;
}
