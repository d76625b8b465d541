import { readFileSync } from "node:fs";
import { systemCode } from "../errors.ts";

/**
 * When a process began, in the kernel's clock ticks since boot: with the pid it names one process for
 * ever, as pids are used again. Undefined where there is no /proc, or no such process, or only its
 * zombie, which holds no descriptor any more.
 */
export function processStart(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets and may hold anything, brackets and spaces too.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return undefined;
  return rest[18];
}

/** Whether the process that had `pid` and began at `start` (see processStart) still lives. */
export function isAlive(pid: number, start: string | undefined): boolean {
  const found = processStart(pid);
  if (found !== undefined && start !== undefined) return found === start;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and is another user's. Its /proc entry may be hidden from us.
    return systemCode(error) === "EPERM";
  }
  // The signal reaches a zombie too. Without /proc the pid alone has to do.
  return start === undefined || processStart(process.pid) === undefined;
}
