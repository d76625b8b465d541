import {
  Worker,
  isMainThread,
  parentPort,
  workerData,
  type MessagePort,
} from "node:worker_threads";
import { availableParallelism } from "node:os";
import { Failure, failed, systemCode } from "../errors.ts";
import { inTurns } from "./inturns.ts";
import type { DocumentPack } from "./pack.ts";
import { readPacks } from "./readpacks.ts";
import type { DocumentSource } from "./storedfiles.ts";

/*
 * A thread that reads files of documents while the main one sends them. This module is its program, too: whoever
 * starts it does so by importing it.
 */

/** What the thread says when it is asked for a pack; neither is the end. */
interface Answer {
  readonly pack?: DocumentPack | undefined;
  readonly problem?: Problem;
}

interface Problem extends Partial<Pick<Failure, "outcome" | "hint">> {
  readonly message: string;
  readonly code: string | undefined;
}

interface Task extends DocumentSource {
  readonly task: typeof ownTask;
}

const ownTask = "rclone-backups: read files of documents";

/** More would only wait for the server, and for memory. */
const mostThreads = 2;

/**
 * The packs of a collection, read while others are worked on, by several threads where order does not matter;
 * undefined where this is TypeScript still, which threads don't run.
 */
export function packsByThreads(
  source: DocumentSource,
  signal: AbortSignal,
): AsyncGenerator<DocumentPack> | undefined {
  if (import.meta.url.endsWith(".ts")) return undefined;
  const of = source.capped ? 1 : Math.min(availableParallelism(), mostThreads);
  const shares = Array.from({ length: of }, (_, index) => ({ index, of }));
  return inTurns(
    (stopped) => shares.map((share) => packsByThread({ ...source, share }, stopped)),
    signal,
  );
}

/** Who waits for an answer. */
interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

async function* packsByThread(
  source: DocumentSource,
  signal: AbortSignal,
): AsyncGenerator<DocumentPack> {
  const task: Task = { ...source, task: ownTask };
  // It closes each file itself: writing down a million that are open for a moment is work for nothing.
  const worker = new Worker(new URL(import.meta.url), {
    workerData: task,
    trackUnmanagedFds: false,
  });
  let waiting: Waiting | undefined;
  worker.on("message", (answer: Answer) => waiting?.resolve(answer));
  worker.on("error", (cause) =>
    waiting?.reject(failed(`the thread that reads files failed: ${String(cause)}`, { cause })),
  );
  worker.on("exit", () => waiting?.reject(failed("the thread that reads files has ended")));
  const stop = (): void => waiting?.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const ask = async (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      waiting = { resolve, reject };
      worker.postMessage("next", []);
    });
  let asked = ask();
  try {
    for (;;) {
      const { pack, problem } = await asked;
      if (problem !== undefined) throw errorOf(problem);
      if (pack === undefined) return;
      asked = ask();
      // Thrown where it is awaited.
      asked.catch(() => {});
      yield pack;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    await worker.terminate();
  }
}

function errorOf({ outcome, message, hint, code }: Problem): Error {
  if (outcome === undefined) return Object.assign(new Error(message), { code });
  return new Failure(outcome, message, hint === undefined ? {} : { hint });
}

function serve(port: MessagePort, source: DocumentSource): void {
  const packs = readPacks(source);
  port.on("message", () => {
    try {
      let next = packs.next();
      while (next.done !== true && next.value === undefined) next = packs.next();
      const pack = next.done === true ? undefined : next.value;
      const answer: Answer = { pack };
      const parts = pack === undefined ? [] : [pack.bytes, pack.ends, pack.words, pack.order];
      port.postMessage(
        answer,
        parts.map(({ buffer }) => buffer),
      );
    } catch (error) {
      const answer: Answer = { problem: problemOf(error) };
      port.postMessage(answer);
    }
  });
}

function problemOf(error: unknown): Problem {
  const { outcome, hint } = error instanceof Failure ? error : {};
  const message = error instanceof Error ? error.message : String(error);
  const known = { message, code: systemCode(error) };
  return outcome === undefined ? known : { ...known, outcome, hint };
}

function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "task" in value && value.task === ownTask;
}

if (!isMainThread && parentPort !== null && isTask(workerData)) serve(parentPort, workerData);
