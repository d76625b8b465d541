import { failed, skipped } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import { parentDeathPrefix } from "../state/parentdeath.ts";

export interface Hook {
  /** The key in the configuration, or the setting, for messages. */
  readonly name:
    | "skip_unless"
    | "pre_command"
    | "post_command"
    | "failure_command"
    | "BEFORE_ALL"
    | "AFTER_ALL";
  readonly command: string;
  readonly timeoutSeconds: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  readonly onLine: (line: string) => void;
}

/** How much of a hook's output its failure tells. */
const tailLines = 10;
const tailWidth = 500;

/** A hook's way to say that this run should be skipped (EX_TEMPFAIL of sysexits.h). */
const skip = 75;

/** What the shell ends with if it can't run the command at all: that is no answer. */
const notRun: readonly number[] = [126, 127];

/** The most milliseconds that a timer holds; one more, and it is due at once. */
const longestTimer = 2 ** 31 - 1;

/** The timer, in milliseconds, of a timeout in seconds. */
export function timerOf(seconds: number): number {
  return Math.min(Math.ceil(seconds * 1000), longestTimer);
}

/**
 * Runs a hook by /bin/sh -c in a process group of its own, which is ended as a whole when the
 * time is up or the run is stopped. What it leaves in the background when it ends is left alone.
 * Throws failed when it can't be started, times out, or ends with anything but 0, with the last
 * lines it printed; skipped when a pre_command or BEFORE_ALL ends with 75, or a skip_unless with any other code
 * that is its own.
 */
export async function runHook(hook: Hook): Promise<void> {
  const tail: string[] = [];
  const onLine = (line: string): void => {
    tail.push(line.slice(0, tailWidth));
    if (tail.length > tailLines) tail.shift();
    hook.onLine(line);
  };
  const limit =
    hook.timeoutSeconds === undefined
      ? undefined
      : AbortSignal.timeout(timerOf(hook.timeoutSeconds));
  const signals = [hook.signal, limit].filter((signal) => signal !== undefined);
  const { code, signal, stopped } = await runGroup({
    command: [...(await parentDeathPrefix()), "/bin/sh", "-c", hook.command],
    env: hook.env,
    signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
    onStdout: onLine,
    onStderr: onLine,
    mayLeave: true,
  });
  hook.signal?.throwIfAborted();
  // The time may also be up when it has ended by itself and its output is still read.
  const timedOut = stopped && limit?.aborted === true;
  if (code === 0 && !timedOut) return;
  const said =
    tail.length === 0
      ? "it printed nothing"
      : `it printed last:\n${tail.map((line) => `  ${line}`).join("\n")}`;
  if (timedOut) {
    throw failed(
      `${hook.name}: expected it to end within ${hook.timeoutSeconds} s, found it still running and ended it; ${said}`,
      {
        hint: `raise ${hook.name.endsWith("_ALL") ? "HOOK_TIMEOUT" : "[default] timeout"}, or find out what it waits for`,
      },
    );
  }
  if (skips(hook.name, code))
    throw skipped(`${hook.name}: exit code ${code}, so this run is skipped; ${said}`);
  throw failed(`${hook.name}: expected exit code 0, found ${code ?? signal ?? "none"}; ${said}`);
}

function skips(name: Hook["name"], code: number | undefined): boolean {
  if (name === "skip_unless") return code !== undefined && !notRun.includes(code);
  return (name === "pre_command" || name === "BEFORE_ALL") && code === skip;
}
