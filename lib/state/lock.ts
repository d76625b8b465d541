import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Failure } from "../errors.ts";
import { failed, interrupted, skipped, systemCode } from "../errors.ts";
import type { Holder } from "./holders.ts";
import { liveHolders, readHolders, recordHolder, recordRelease } from "./holders.ts";
import { processStart } from "./process.ts";

export interface LockOptions {
  /** Exclusive: one and no reader. Shared: any number of readers. */
  readonly mode: "exclusive" | "shared";
  /** What others are told holds the lock, such as "rclone-backup home"; no secret may stand in it. */
  readonly command: string;
  /** Milliseconds to wait for what a killed run left behind; default 30,000. */
  readonly orphanWaitMs?: number;
  /** Live runs that are waited for, instead of giving way to them at once. */
  readonly patience?: Patience;
  readonly signal?: AbortSignal | undefined;
  readonly now?: () => Date;
}

interface Patience {
  /** Whether this one is waited for. */
  readonly with: (holder: Holder) => boolean;
  /** Milliseconds to wait for all of them together. */
  readonly ms: number;
  /** Called when the wait for one begins. */
  readonly onWait: (holder: Holder) => void;
}

export interface Lock {
  /**
   * The descriptor that carries the lock. A child that inherits it keeps the lock after our death, so
   * give it to rclone: then no second run starts beside an rclone that outlived its parent.
   */
  readonly fd: number;
  /** Lets go, unless a child still holds the descriptor. May be called twice. */
  release(): Promise<void>;
}

const pollMs = 100;
let serial = 0;

/**
 * Takes the kernel's lock on `file`, which is made where it is missing and never deleted (a lock on a
 * deleted file keeps nobody out). The kernel frees it when the last process that has the descriptor
 * ends, however it ends. While a live run holds it: skipped(), at once unless there is patience with that run.
 * While only a child of a dead run does: waits for it, then skipped(). Throws failed() where locking is impossible, interrupted() when
 * the signal is aborted.
 */
export async function acquireLock(file: string, options: LockOptions): Promise<Lock> {
  const exclusive = options.mode === "exclusive";
  const fd = open(file);
  try {
    const orphanWaitMs = options.orphanWaitMs ?? 30_000;
    const patientUntil = performance.now() + (options.patience?.ms ?? 0);
    let deadline = performance.now() + orphanWaitMs;
    while (!(await flock(fd, exclusive, file))) {
      const [live] = liveHolders(file);
      if (live === undefined) {
        if (performance.now() >= deadline) throw orphaned(file);
        await pause(options.signal);
      } else {
        await outlast(live, file, options, patientUntil);
        deadline = performance.now() + orphanWaitMs;
      }
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const holder: Holder = {
    pid: process.pid,
    start: processStart(process.pid),
    serial: serial++,
    since: (options.now?.() ?? new Date()).toISOString(),
    command: options.command,
  };
  recordHolder(fd, holder, exclusive, file);
  let unreleased = true;
  return {
    fd,
    async release() {
      if (!unreleased) return;
      unreleased = false;
      recordRelease(fd, holder, exclusive);
      closeSync(fd);
    },
  };
}

function open(file: string): number {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  try {
    return openSync(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  } catch (cause) {
    const hint = `the directory ${path.dirname(file)} must exist and be yours to write to`;
    throw failed(`cannot open the lock file ${file} (${systemCode(cause) ?? "unknown error"})`, {
      hint,
      cause,
    });
  }
}

/** One attempt; the lock belongs to the open file, so it outlives the flock program. */
async function flock(fd: number, exclusive: boolean, file: string): Promise<boolean> {
  const { code, stderr } = await runFlock(["-n", exclusive ? "-x" : "-s", "3"], fd);
  if (code === 0) return true;
  if (code === 1 && stderr === "") return false;
  throw failed(`cannot lock ${file}: ${stderr.trim() || "flock was killed"}`, {
    hint: "the state directory must be on a file system that has locks",
  });
}

// execa has no type for passing a descriptor on, so this one is started without it.
async function runFlock(
  args: readonly string[],
  fd: number,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn("flock", args, { stdio: ["ignore", "ignore", "pipe", fd] });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("close", (code) => resolve({ code, stderr }));
    child.once("error", (cause) => {
      if (systemCode(cause) !== "ENOENT") return reject(cause);
      const hint = "install util-linux (on Alpine and with Homebrew the package is called flock)";
      reject(failed("the program flock was expected on PATH and not found", { hint, cause }));
    });
  });
}

/**
 * Waits until a live run has let go, or throws skipped() where there is no patience with it. It only looks at the
 * file meanwhile, since every attempt to take a lock starts a program.
 */
async function outlast(
  live: Holder,
  file: string,
  { patience, signal }: LockOptions,
  until: number,
): Promise<void> {
  if (patience?.with(live) !== true) throw held(live);
  patience.onWait(live);
  const isThere = (one: Holder): boolean =>
    one.pid === live.pid && one.start === live.start && one.serial === live.serial;
  while (liveHolders(file).some(isThere)) {
    if (performance.now() >= until) throw held(live);
    await pause(signal);
  }
}

function held({ pid, command, since }: Holder): Failure {
  return skipped(`another run holds the lock: ${command}, process ${pid}, since ${since}`, {
    hint: "try again when it has ended",
  });
}

function orphaned(file: string): Failure {
  const dead = readHolders(file).at(-1);
  const origin =
    dead === undefined ? "" : ` of ${dead.command} (process ${dead.pid}, since ${dead.since})`;
  return skipped(`a run${origin} has ended, but something it started still holds the lock`, {
    hint: `to see what it is: fuser -v ${file}`,
  });
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(pollMs, undefined, { signal });
  } catch (cause) {
    throw interrupted("stopped while waiting for the lock", { cause });
  }
}
