import { compiled, run } from "./command.ts";
import type { Result, RunOptions } from "./command.ts";
import type { Sandbox } from "./sandbox.ts";

/** Runs rclone-backup on a terminal of its own, by script(1); what the terminal got is `stdout`. */
export async function backupOnTerminal(
  sandbox: Sandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  const words = [process.execPath, compiled("rclone-backup"), ...args];
  const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return run("script", ["-q", "-e", "-c", command, "/dev/null"], {
    cwd: sandbox.root,
    ...options,
    env: { ...sandbox.env, TERM: "xterm", SHELL: "/bin/sh", ...options.env },
  });
}

/** With what the status line is rewritten and removed. */
export const erase = "\r\u001B[K";

const colors = [0, 31, 33, 36].map((code) => `\u001B[${code}m`);

/** Control characters of a text but for line ends and what our own status line and colours are made of. */
export function controlsIn(text: string): string[] {
  const ours = [erase, ...colors].reduce((rest, own) => rest.replaceAll(own, ""), text);
  const found = ours.replaceAll("\r\n", "\n").match(/[\p{Cc}\p{Zl}\u202A-\u202E]/gu) ?? [];
  return found.filter((character) => character !== "\n");
}
