import type { Readable } from "node:stream";
import { failed, interrupted } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import type { Sink } from "../process/pipe.ts";
import { parentDeathPrefix } from "../state/parentdeath.ts";
import { parseLogLine, type LogRecord } from "./log.ts";

/** How rclone is started: the same for every call of one run. */
export interface Rclone {
  /** Absolute path of the program. */
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** Arguments of every call, such as --config. */
  readonly common: readonly string[];
  /** Descriptor of the lock: rclone inherits it, so that an orphan still holds the lock. */
  readonly lock?: number | undefined;
}

export interface RcloneCall {
  readonly args: readonly string[];
  /** Another child's standard input; without it standard output goes line by line to `onLine`. */
  readonly stdoutTo?: Sink | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLog?: ((record: LogRecord) => void) | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
  /** Takes standard output as it is, instead of `onLine`; resolves when it has all. */
  readonly takeOutput?: ((output: Readable) => Promise<void>) | undefined;
}

export interface RcloneResult {
  readonly code: number;
  /** The last error that rclone told, for messages. */
  readonly lastError: string | undefined;
}

/**
 * Runs rclone in a process group of its own. Its log is read record by record; nothing of its
 * output is kept. rclone's own exit codes are returned; throws interrupted when `signal` was
 * aborted and failed when something else ended rclone.
 */
export async function runRclone(rclone: Rclone, call: RcloneCall): Promise<RcloneResult> {
  let lastError: string | undefined;
  const [subcommand = "", ...args] = call.args;
  const prefix = await parentDeathPrefix();
  const result = await runGroup({
    // The user's flags come last: one that lacks its value must not swallow what we say.
    command: [...prefix, rclone.program, subcommand, ...rclone.common, ...args],
    env: rclone.env,
    stdoutTo: call.stdoutTo,
    inherit: rclone.lock,
    signal: call.signal,
    onStdout: (line) => call.onLine?.(line),
    takeStdout: call.takeOutput,
    onStderr: (line) => {
      const record = parseLogLine(line);
      if (record.level === "error") lastError = record.message;
      call.onLog?.(record);
    },
  });
  if (call.signal?.aborted) throw interrupted("stopped by a signal while rclone was running");
  if (result.code === undefined) {
    throw failed(
      `rclone ${call.args[0] ?? ""}: expected it to end by itself, found it ended by ${result.signal ?? "a signal"}`,
      {
        hint: "something outside killed rclone (out of memory?); run the backup again",
      },
    );
  }
  return { code: result.code, lastError };
}
