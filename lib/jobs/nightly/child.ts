import { outcomeOf, type Outcome } from "../../errors.ts";
import { runGroup } from "../../process/group.ts";
import { begunLine } from "../begun.ts";
import { parentDeathPrefix } from "../../state/parentdeath.ts";

export interface ChildWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

export interface Child {
  readonly outcome: Outcome;
  /** The signal that killed it. */
  readonly signal?: string | undefined;
  /** The document that it printed; undefined when there is none. */
  readonly document: unknown;
  /** What it said last on standard error, if anything. */
  readonly lastLine: string | undefined;
}

/** A failure_command gets 30 s when its run is stopped; then rclone and the record need a moment. */
const graceMs = 45_000;

/**
 * Starts rclone-backup with these words. Lines of standard error are handed on as they come; of standard
 * output too if `onStdout` is given, else it is read as one JSON document.
 */
export type Start = (
  words: readonly string[],
  world: ChildWorld,
  onStderr: (line: string) => void,
  onStdout?: (line: string) => void,
) => Promise<Child>;

/** Starts it by these words of a command line. */
export function spawning(program: readonly string[]): Start {
  return async (words, ...rest) => runChild([...program, ...words], ...rest);
}

/**
 * Runs a command of the suite in a process group of its own, which ends with us: by SIGTERM when the run is
 * stopped, and by the kernel's where we are killed.
 */
async function runChild(
  words: readonly string[],
  { env, cwd, signal }: ChildWorld,
  onStderr: (line: string) => void,
  onStdout?: (line: string) => void,
): Promise<Child> {
  let document: unknown;
  let lastLine: string | undefined;
  const { code, signal: killed } = await runGroup({
    command: [...(await parentDeathPrefix()), ...words],
    env: Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    cwd,
    signal,
    grace: graceMs,
    ...(onStdout === undefined
      ? { takeStdout: async (stdout) => void (document = await takeDocument(stdout)) }
      : { onStdout }),
    onStderr: (line) => {
      if (line !== begunLine) lastLine = line;
      onStderr(line);
    },
  });
  // A signal, or a code that is none of ours, is a failure.
  const outcome = outcomeOf(code) ?? "failed";
  return { outcome, signal: killed, document, lastLine };
}

/** A document is no longer than this, in bytes: a program gone wrong must not fill our memory. */
const longestDocument = 64 * 1024 * 1024;

/** Reads a JSON document to the end of the stream; undefined when it is none, or longer than `longest`. */
export async function takeDocument(
  stream: AsyncIterable<Uint8Array>,
  longest = longestDocument,
): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // All is taken, so that the program can go on; what comes too late is let go.
  for await (const chunk of stream) {
    length += chunk.length;
    if (length <= longest) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (length > longest) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
