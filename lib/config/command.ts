import type { Environment } from "./interpolate.ts";

export interface CommandResult {
  /** Undefined when a signal or the time limit ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly timedOut: boolean;
}

export interface CommandOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
}

/** Runs a command with /bin/sh -c and gives back what it printed. */
export type RunCommand = (command: string, options: CommandOptions) => Promise<CommandResult>;

/** More than any secret. */
const longest = 1024 * 1024;

/**
 * The real RunCommand. The command has a process group of its own, all of which is killed when the
 * time is over; its standard error is thrown away, since it may hold the secret.
 */
export const runShell: RunCommand = async (command, { env, timeoutMs }) => {
  const { execa } = await import("execa");
  const child = execa("/bin/sh", ["-c", command], {
    env: definedOnly(env),
    extendEnv: false,
    stdin: "ignore",
    stderr: "ignore",
    buffer: false,
    reject: false,
    detached: true,
  });
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (stdout.length < longest) stdout += chunk;
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
    // A grandchild that left the group may still hold the pipe.
    child.stdout.destroy();
  }, timeoutMs);
  process.once("exit", kill);
  try {
    const result = await child;
    return { code: timedOut ? undefined : result.exitCode, stdout, timedOut };
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
  }
};

function definedOnly(env: Environment): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) defined[name] = value;
  return defined;
}
