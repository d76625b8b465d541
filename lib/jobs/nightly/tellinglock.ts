import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../errors.ts";
import { acquireLock, type Lock } from "../../state/lock.ts";
import type { World } from "../session.ts";

const pollMs = 200;

/**
 * Tells notices while nobody else does. Waits so many milliseconds for one who does; one that waits
 * for none leaves it to the other, one that waited goes on. So does one that can't be kept apart from others, as on a
 * full disk: something told twice is better than something not told. Throws what `work` throws.
 */
export async function whileTelling(
  root: string,
  waitMs: number,
  { signal, now }: Pick<World, "signal" | "now">,
  work: () => Promise<void>,
): Promise<void> {
  const file = join(root, "locks", "notices.lock");
  const deadline = performance.now() + waitMs;
  let lock: Lock | "held" | undefined;
  for (;;) {
    lock = await acquire(file, { signal, now });
    if (lock !== "held" || performance.now() >= deadline || signal.aborted) break;
    await sleep(pollMs);
  }
  if (lock === "held" && waitMs === 0) return;
  try {
    await work();
  } finally {
    if (lock !== "held") await lock?.release();
  }
}

async function acquire(
  file: string,
  world: Pick<World, "signal" | "now">,
): Promise<Lock | "held" | undefined> {
  try {
    const command = "rclone-backups run, which tells what lasts";
    return await acquireLock(file, { mode: "exclusive", command, orphanWaitMs: 1000, ...world });
  } catch (error) {
    return error instanceof Failure && error.outcome === "skipped" ? "held" : undefined;
  }
}
