import { setImmediate } from "node:timers/promises";
import {
  Worker,
  isMainThread,
  parentPort,
  workerData,
  type MessagePort,
} from "node:worker_threads";
import { Failure, failed, systemCode } from "../errors.ts";
import { DocumentFiles } from "./files.ts";
import type { StoredFiles } from "./stored.ts";
import { windowsOf, type DocumentWindow } from "./window.ts";

/*
 * A thread that reads files of documents while the main one sends those before them to the server. This module
 * is its program, too: whoever starts it does so by importing it.
 */

interface Task {
  readonly task: typeof ownTask;
  readonly directory: string;
  readonly capped: boolean;
  /** Files that were read already. */
  readonly skip: number;
}

const ownTask = "rclone-backups: read files of documents";

/** What the thread says when it is asked for more. */
interface Answer {
  /** Undefined where there are no more, or it can't go on. */
  readonly window: DocumentWindow | undefined;
  readonly problem:
    | (Pick<Failure, "message" | "hint"> & {
        readonly outcome: Failure["outcome"] | undefined;
        readonly code: string | undefined;
      })
    | undefined;
}

/**
 * Reads the files of a collection window by window, the next one while one is worked on: the first here, the others, if
 * there are any, by a thread. Throws the system's errors, and failed().
 */
export async function* readAhead(
  stored: StoredFiles,
  signal: AbortSignal,
): AsyncGenerator<DocumentWindow> {
  for (const window of windowsOf(stored, 0)) {
    yield window;
    // Threads don't run TypeScript.
    if (!window.isLast && !import.meta.url.endsWith(".ts")) {
      yield* readByThread(stored, window.looked, signal);
      return;
    }
    await setImmediate();
    signal.throwIfAborted();
  }
}

async function* readByThread(
  { directory, metadata }: StoredFiles,
  skip: number,
  signal: AbortSignal,
): AsyncGenerator<DocumentWindow> {
  const task: Task = { task: ownTask, directory, capped: metadata.capped, skip };
  const thread = new Worker(new URL(import.meta.url), { workerData: task });
  try {
    let next = ask(thread);
    for (;;) {
      const { window, problem } = await next;
      signal.throwIfAborted();
      if (problem !== undefined) throw errorOf(problem);
      if (window === undefined) return;
      next = ask(thread);
      // Thrown where it is awaited.
      next.catch(() => {});
      yield window;
    }
  } finally {
    await thread.terminate();
  }
}

async function ask(thread: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      thread.off("message", onMessage).off("error", onError).off("exit", onExit);
      act();
    };
    const onMessage = (answer: Answer): void => end(() => resolve(answer));
    const onError = (cause: unknown): void =>
      end(() => reject(failed(`the thread that reads files failed: ${String(cause)}`, { cause })));
    const onExit = (): void => end(() => reject(failed("the thread that reads files has ended")));
    thread.on("message", onMessage).on("error", onError).on("exit", onExit);
    thread.postMessage("more", []);
  });
}

function errorOf({ outcome, message, hint, code }: NonNullable<Answer["problem"]>): Error {
  if (outcome !== undefined)
    return new Failure(outcome, message, hint === undefined ? {} : { hint });
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "task" in value && value.task === ownTask;
}

function serve(port: MessagePort, { directory, capped, skip }: Task): void {
  const files = new DocumentFiles(directory);
  const windows = windowsOf({ directory, files, metadata: { capped } }, skip);
  port.on("message", () => {
    try {
      const next = windows.next();
      const window = next.done === true ? undefined : next.value;
      const answer: Answer = { window, problem: undefined };
      port.postMessage(answer, window === undefined ? [] : buffersOf(window));
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      const { outcome, hint } = error instanceof Failure ? error : {};
      const answer: Answer = {
        window: undefined,
        problem: { outcome, message, hint, code: systemCode(error) },
      };
      port.postMessage(answer);
    }
  });
}

/** What is handed over, not copied. */
function buffersOf({ bytes, ends, ranks, keys, contents }: DocumentWindow): ArrayBuffer[] {
  return [bytes, ends, ranks, keys, contents].map(({ buffer }) => buffer);
}

if (!isMainThread && parentPort !== null && isTask(workerData)) serve(parentPort, workerData);
