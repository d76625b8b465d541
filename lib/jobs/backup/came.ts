import { cameAndWent, joinEvents, markCame } from "../../manifest/outcome.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { Run } from "./run.ts";
import type { Survey } from "./survey.ts";
import type { SyncOutcome } from "./sync.ts";

/** The syncs of one run, in their order. */
export type Done = readonly [SyncOutcome, ...SyncOutcome[]];

/**
 * The syncs with a mark on what an earlier attempt stored anew and a later one set aside: no old version lies aside of it.
 * Where nobody knew what the destination held, nothing is marked. Ask before the manifest is written.
 */
export async function withCame({ history }: Run, { planned }: Survey, done: Done): Promise<Done> {
  const attempts = done.reduce((sum, one) => sum + one.attempts, 0);
  if (history === undefined || attempts === 1 || planned.plan.from !== "manifest") return done;
  const came = new Set<RawPath>();
  const told = joinEvents(done.map(({ events }) => events));
  for await (const page of cameAndWent(planned.held(), told))
    for (const path of page) came.add(path);
  if (came.size === 0) return done;
  const marked = (one: SyncOutcome): SyncOutcome => ({
    ...one,
    events: () => markCame(one.events(), came),
  });
  const [first, ...others] = done;
  return [marked(first), ...others.map(marked)];
}
