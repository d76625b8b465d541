import { failed } from "../../errors.ts";
import { joinAsideArgs, purgeArgs } from "../../rclone/files.ts";
import { runRclone, type RcloneResult } from "../../rclone/run.ts";
import { below } from "../../stores/dir/context.ts";
import { listRuns } from "../../stores/dir/runs.ts";
import { runId } from "../../units/runid.ts";
import type { Run, RunHistory } from "./run.ts";

/** As many as rclone makes by itself, unless it is told otherwise. */
const usual = 3;

/** rclone's exit codes after which another attempt may do better: anything, not found (twice), a passing error. */
const worthAnother = new Set([1, 3, 4, 5]);

/**
 * Lets rclone try a call several times. Where old versions are set aside, each attempt is a call of its own, with a
 * directory of its own: rclone would move a file that changed again since the last attempt onto what lies aside, which is
 * the version of the last run, and delete that. `isFirst` says that nothing lies aside of this run yet. Throws when
 * what was set aside can't be brought together.
 */
export async function inAttempts(
  run: Run,
  isFirst: boolean,
  call: (backupDir: string | undefined) => Promise<RcloneResult>,
): Promise<RcloneResult & { readonly attempts: number }> {
  const { history, session } = run;
  if (history === undefined) return { ...(await call(undefined)), attempts: 1 };
  const most = attemptsIn(session.tuning.flags) ?? usual;
  for (let attempt = 1; ; attempt += 1) {
    const isOwn = isFirst && attempt === 1;
    // A run's name, so that the next run finds it if this one is cut off.
    const id = isOwn ? run.id : runId(run.number + 1, run.startedAt);
    const result = await call(below(history.location, id));
    if (!isOwn) await joinAside(run, history, id);
    if (attempt >= most || !worthAnother.has(result.code)) return { ...result, attempts: attempt };
  }
}

/** What the user's flags say, in either form; the last one counts. */
function attemptsIn(flags: readonly string[]): number | undefined {
  const at = flags.findLastIndex((flag) => /^--retries(=|$)/.test(flag));
  const [, value = flags[at + 1]] = flags[at]?.split("=") ?? [];
  return at < 0 ? undefined : Number(value);
}

/**
 * Brings what a later attempt set aside to the old versions of the run; of a file that lies there, the older one stays.
 * Throws when that can't be done: the run can't say what it did then, and the next one closes it as one that was cut off.
 */
async function joinAside(run: Run, history: RunHistory, id: string): Promise<void> {
  const { rclone, tuning, world } = run.session;
  const isThere = async (): Promise<boolean> =>
    (await listRuns(rclone, history.location, tuning, world.signal)).some((one) => one.id === id);
  if (!(await isThere())) return;
  const from = below(history.location, id);
  const ask = async (args: readonly string[]): Promise<RcloneResult> =>
    runRclone(rclone, { args, signal: world.signal });
  const moved = await ask(joinAsideArgs(from, below(history.location, run.id), tuning));
  // What is left was there for the length of an attempt: each name of it lies among the old versions. Where the
  // directory was moved as a whole, nothing is left, and purge fails for that.
  const last = moved.code === 0 ? await ask(purgeArgs(from, tuning)) : moved;
  if (moved.code === 0 && !(await isThere())) return;
  throw failed(
    `history: expected to bring ${id} to the old versions of ${run.id}, found: ${last.lastError ?? `exit code ${last.code}`}`,
    { hint: "nothing is lost; run the backup again: it puts that right first" },
  );
}
