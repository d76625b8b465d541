import { spawn } from "node:child_process";

let prefix: Promise<readonly string[]> | undefined;

/**
 * What to put before a program and its arguments so that it gets SIGTERM when our process dies, by
 * kill -9 too; empty where setpriv of util-linux can't do that. It keeps its pid. Tried once a process.
 */
export async function parentDeathPrefix(): Promise<readonly string[]> {
  prefix ??= probe();
  return prefix;
}

/** Not by execa: importing that takes longer than the answer, which comes meanwhile. */
async function probe(): Promise<readonly string[]> {
  const words = ["setpriv", "--pdeathsig", "TERM", "--"] as const;
  const [program, ...options] = words;
  return new Promise((resolve) => {
    const child = spawn(program, [...options, "true"], { stdio: "ignore" });
    child.once("error", () => resolve([]));
    child.once("exit", (code) => resolve(code === 0 ? words : []));
  });
}
