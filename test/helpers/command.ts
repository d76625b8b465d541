import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/** The top of the checkout. */
export const projectRoot: string = path.resolve(import.meta.dirname, "../..");

export interface RunOptions {
  /** The whole environment of the child; nothing is inherited. Default: PATH alone. */
  env?: Readonly<Record<string, string>>;
  /** Written to the child's stdin, which is then closed. Default: stdin is /dev/null. */
  input?: string | Uint8Array;
  /** Leaves stdin open for the test to write to. */
  typing?: boolean;
  cwd?: string;
  /** Milliseconds before the child and all it started are killed and the run is an error. Default 120,000. */
  timeout?: number;
  uid?: number;
  gid?: number;
  /**
   * File permissions count, also when the tests run as root: root's right to pass over them is
   * dropped. The user stays the same, so that a checkout below /root can still be read.
   */
  unprivileged?: boolean;
}

export interface Result {
  /** The exit code, null when a signal ended the child. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stdout byte for byte, for output that is not UTF-8. */
  stdoutBytes: Buffer;
}

export interface Live {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What came so far. */
  stdout: () => string;
  stderr: () => string;
  /** Resolves with the match as soon as stdout and stderr together hold the pattern; rejects if the child ends first. */
  waitFor: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Signals the child alone. */
  kill: (signal: NodeJS.Signals) => void;
  /** Signals the child and everything in its process group, as ^C on a terminal does. */
  killGroup: (signal: NodeJS.Signals) => void;
  /** Resolves when the child has ended and its output is complete. */
  done: Promise<Result>;
}

const dropPermissionOverride = [
  "--bounding-set=-dac_override,-dac_read_search",
  "--inh-caps=-dac_override,-dac_read_search",
];

/**
 * Starts a program in a process group of its own. Callers await `done`, which rejects only when the
 * program cannot be started or takes longer than the timeout.
 */
export function start(file: string, args: readonly string[], options: RunOptions = {}): Live {
  const drop = options.unprivileged === true && process.getuid?.() === 0;
  const [command, argv] = drop
    ? ["setpriv", [...dropPermissionOverride, "--", file, ...args]]
    : [file, [...args]];
  const child = spawn(command, argv, {
    cwd: options.cwd,
    detached: true,
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: [
      options.input === undefined && options.typing !== true ? "ignore" : "pipe",
      "pipe",
      "pipe",
    ],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  const output = collect(child);
  if (options.input !== undefined && child.stdin !== null) {
    // A child that ends without reading its input is the test's business, not an error here.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
  }
  const killGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group has gone already.
    }
  };
  const done = finish(child, output, killGroup, options.timeout ?? 120_000, [file, ...args]);
  return {
    pid: child.pid ?? -1,
    child,
    stdout: () => output.stdout().toString(),
    stderr: () => output.stderr().toString(),
    waitFor: async (pattern) => waitFor(child, output, pattern),
    kill: (signal) => void child.kill(signal),
    killGroup,
    done,
  };
}

/** Runs a program to its end. Any exit code is a result; only a timeout or a failed start rejects. */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return start(file, args, options).done;
}

/** The compiled file of a command, such as "rclone-backup". Throws where nothing was built. */
export function compiled(command: string): string {
  const file = path.join(projectRoot, "dist/bin", `${command}.js`);
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build`);
  return file;
}

interface Output {
  stdout: () => Buffer;
  stderr: () => Buffer;
}

function collect(child: ChildProcess): Output {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  return { stdout: () => Buffer.concat(stdout), stderr: () => Buffer.concat(stderr) };
}

async function finish(
  child: ChildProcess,
  output: Output,
  killGroup: (signal: NodeJS.Signals) => void,
  timeout: number,
  argv: readonly string[],
): Promise<Result> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup("SIGKILL");
    // A grandchild that left the group may hold the pipes open for ever.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, timeout);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve([code, signal]));
  });
  try {
    const [code, signal] = await ended;
    const stdoutBytes = output.stdout();
    const stdout = stdoutBytes.toString();
    const stderr = output.stderr().toString();
    if (late) {
      throw new Error(`${argv.join(" ")}: no end after ${timeout} ms\n${stdout}\n${stderr}`);
    }
    return { code, signal, stdout, stderr, stdoutBytes };
  } finally {
    clearTimeout(timer);
  }
}

async function waitFor(
  child: ChildProcess,
  output: Output,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const match = pattern.exec(textOf(output));
      if (match !== null) resolve(match);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("error", reject);
    child.once("close", () => {
      look();
      reject(new Error(`ended without ${String(pattern)}:\n${textOf(output)}`));
    });
    look();
  });
}

function textOf(output: Output): string {
  return `${output.stdout().toString()}\n${output.stderr().toString()}`;
}
