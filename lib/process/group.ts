import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../errors.ts";
import { OutputLeftBehind } from "./leftbehind.ts";
import { eachLine } from "./lines.ts";
import { groupIsAlive } from "./members.ts";
import { closeSink, PipeEnd, type Sink } from "./pipe.ts";

export interface GroupOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /**
   * The standard input of another child, which takes standard output without our help; it is closed
   * on our side. Without it `onStdout` gets it line by line.
   */
  readonly stdoutTo?: Sink | undefined;
  /** What the child reads; it is closed on our side. */
  readonly stdin?: PipeEnd | undefined;
  /** Gets the child's standard input; without it and `stdin` there is none. */
  readonly onStdin?: ((stdin: Writable) => void) | undefined;
  /** A descriptor that the child inherits as its descriptor 3. */
  readonly inherit?: number | undefined;
  /** Ends the whole group: SIGTERM, and SIGKILL after a grace period. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of grace; ten seconds unless given. */
  readonly grace?: number | undefined;
  readonly onStdout?: ((line: string) => void) | undefined;
  /**
   * Takes standard output as it is, instead of `onStdout`; resolves when it has all. It must begin to read at
   * once: Node throws away what is not being read when the child ends.
   */
  readonly takeStdout?: ((stdout: Readable) => Promise<void>) | undefined;
  readonly onStderr?: ((line: string) => void) | undefined;
  /**
   * Whether the child may leave something in the background that holds its output open. Then its end is the end:
   * what runs on is neither waited for nor ended.
   */
  readonly mayLeave?: boolean | undefined;
}

/** Thrown when a command can't be started. */
export class NotStarted extends Failure {}

export interface GroupResult {
  /** Undefined when a signal ended the child. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Whether the signal of the options ended it. */
  readonly stopped: boolean;
}

/** How long a group may take to end after SIGTERM, in milliseconds. */
const usualGrace = 10_000;
const pollEvery = 20;
/** How long output may still come when the group has gone. */
const drainFor = 500;

/**
 * Runs a command in a process group of its own, so that it and all its children can be ended
 * together and a Ctrl-C on the terminal reaches us alone.
 * Throws NotStarted when the command can't be started, and what a callback or the write of
 * standard output throws, after the group was ended.
 */
export async function runGroup(options: GroupOptions): Promise<GroupResult> {
  const { execa } = await import("execa");
  const [file = "", ...args] = options.command;
  const { stdin: input, stdoutTo: sink } = options;
  const child = execa(file, args, {
    env: options.env,
    extendEnv: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    buffer: false,
    reject: false,
    detached: true,
    stdio: [
      input === undefined
        ? options.onStdin === undefined
          ? "ignore"
          : "pipe"
        : descriptor(input.fd),
      sink instanceof PipeEnd ? descriptor(sink.fd) : (sink ?? "pipe"),
      "pipe",
      ...(options.inherit === undefined ? [] : [descriptor(options.inherit)]),
    ],
  });
  const { pid, stdin, stdout, stderr } = child;
  input?.close();
  if (sink !== undefined) closeSink(sink);
  // A child that ends before it has read all says why by its exit code.
  stdin?.on("error", () => {});
  if (stdin !== null) options.onStdin?.(stdin);
  let ended: Promise<void> | undefined;
  let readings: Promise<unknown> = Promise.resolve();
  const end = (): void => {
    ended ??= (async () => {
      await endGroup(pid, options.grace ?? usualGrace);
      // What left the group may hold its output open for ever.
      await Promise.race([readings, sleep(drainFor, undefined, { ref: false })]);
      stdout?.destroy();
      stderr?.destroy();
    })();
  };
  /** Output that can't be taken is the end of the command: it must not go on without us. */
  const taken = async (reading: Promise<void>): Promise<void> => {
    try {
      await reading;
    } catch (error) {
      if (ended !== undefined) return;
      end();
      throw error;
    }
  };
  if (options.signal?.aborted) end();
  options.signal?.addEventListener("abort", end, { once: true });
  const left = options.mayLeave === true ? new OutputLeftBehind() : undefined;
  const chunksOf = (stream: Readable): AsyncIterable<Uint8Array> => left?.of(stream) ?? stream;
  let exit: Pick<GroupResult, "code" | "signal"> | undefined;
  try {
    const outputs = Promise.allSettled([
      stdout === null ||
        taken(
          options.takeStdout?.(stdout) ??
            eachLine(chunksOf(stdout), (line) => options.onStdout?.(line)),
        ),
      stderr === null || taken(eachLine(chunksOf(stderr), (line) => options.onStderr?.(line))),
    ]);
    readings = outputs;
    child.once("exit", (code, signal) => {
      exit = { code: code ?? undefined, signal: signal ?? undefined };
      if (left === undefined || ended !== undefined) return;
      options.signal?.removeEventListener("abort", end);
      void left.close(outputs);
    });
    const result = await child;
    for (const output of await outputs) if (output.status === "rejected") throw output.reason;
    if (pid === undefined)
      throw new NotStarted(
        "failed",
        `${file}: expected a program that can be started, found none`,
        { cause: result },
      );
    const { code, signal } = exit ?? { code: result.exitCode, signal: result.signal };
    return { code, signal, stopped: ended !== undefined };
  } finally {
    options.signal?.removeEventListener("abort", end);
    await ended;
  }
}

/** Ends a group and returns when none of it is left; after the grace period by force. */
async function endGroup(pid: number | undefined, grace: number): Promise<void> {
  if (pid === undefined || !signalGroup(pid, "SIGTERM")) return;
  const deadline = performance.now() + grace;
  while (signalGroup(pid, 0) && groupIsAlive(pid)) {
    if (performance.now() >= deadline) {
      signalGroup(pid, "SIGKILL");
      return;
    }
    await sleep(pollEvery);
  }
}

/** Sends a signal to a process group (0 only asks); returns whether there was any. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    // The group has ended already.
    return false;
  }
}

/** execa's types know descriptors up to 9 only; it hands any number on to the child. */
function descriptor(fd: number): 3 {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return fd as 3;
}
