import { spawn } from "node:child_process";
import { failed } from "../errors.ts";

/**
 * Has the system write all of the file system of a directory to the disk: once, instead of once for
 * each of a million files. Throws failed().
 */
export async function syncFiles(directory: string): Promise<void> {
  // Where sync knows no -f, it syncs all there is.
  for (const args of [["-f", directory], []]) if (await succeeds("sync", args)) return;
  throw failed(`cannot sync ${directory}: the program sync was expected to do it, and failed`, {
    hint: "it is one of coreutils or busybox",
  });
}

// Not by execa: importing that takes longer.
async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore", env: {} });
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
}
