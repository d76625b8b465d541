import { readdirSync, readFileSync } from "node:fs";

/**
 * Whether a process group has a member that still does anything. Zombies don't, and where the first
 * process of a container is slow to bury them they stay for seconds. Without /proc the signal's word
 * has to do: true.
 */
export function groupIsAlive(group: number): boolean {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return true;
  }
  const pids = names.filter((name) => /^\d+$/.test(name));
  return pids.length === 0 || pids.some((pid) => isLiveMember(pid, group));
}

function isLiveMember(pid: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The program's name, in brackets, may hold anything. After it: state, parent, group.
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(pgrp) === group && state !== "Z" && state !== "X";
  } catch {
    // It has gone in the meantime.
    return false;
  }
}
