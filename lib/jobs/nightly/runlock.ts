import { join } from "node:path";
import { acquireLock, type Lock } from "../../state/lock.ts";
import type { World } from "../session.ts";
import type { NightOptions } from "./night.ts";

/** What a run calls itself that is of all backups and not only of those that are due. */
const whole = "rclone-backups run";

/** How long a run waits for one that does not do its work: 12 hours, in milliseconds. */
const longestWait = 12 * 3_600_000;

/**
 * Takes the lock that only one run has at a time. One that asks what is due gives way at once, since it is
 * asked again soon; so does one that finds a run of all backups. Otherwise its own work would be lost, for a day as a
 * rule, to one that does not do it: it waits until that one has ended.
 * Throws skipped() while another run has it, interrupted() when it is stopped meanwhile.
 */
export async function takeRunLock(
  root: string,
  options: NightOptions,
  { signal, now }: Pick<World, "signal" | "now">,
): Promise<Lock> {
  return acquireLock(join(root, "locks", "run.lock"), {
    mode: "exclusive",
    command: nameOf(options),
    signal,
    now,
    patience: {
      with: ({ command }) => !options.due && command !== whole,
      ms: longestWait,
      onWait: ({ command, pid, since }) =>
        options.onWait(`waiting for ${command}, process ${pid}, at work since ${since}`),
    },
  });
}

/** What others are told of a run, and know it by. */
function nameOf({ due, dryRun, names }: NightOptions): string {
  const [first, ...others] = names;
  return [
    whole,
    ...(due ? ["--due"] : []),
    ...(dryRun ? ["-n"] : []),
    ...(first === undefined ? [] : [first]),
    ...(others.length === 0 ? [] : ["…"]),
  ].join(" ");
}
