import {
  Worker,
  isMainThread,
  parentPort,
  workerData,
  type MessagePort,
} from "node:worker_threads";
import { Failure } from "../errors.ts";
import { int32At } from "./bson.ts";
import { DocumentFiles } from "./files.ts";

/*
 * A thread that writes files of documents while the main one reads from the server. This module is its
 * program, too: whoever starts it does so by importing it.
 */

/** Documents one after another. */
export interface Pack {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What the thread says of each: how long it was, and what went wrong. */
export interface Written {
  readonly length: number;
  readonly problem: Pick<Failure, "outcome" | "message" | "hint"> | undefined;
}

interface Task {
  readonly task: typeof ownTask;
  readonly directory: string;
}

const ownTask = "rclone-backups: write files of documents";

/** Starts a thread that writes into a directory; undefined where this is TypeScript still, which threads don't run. */
export function startFileThread(directory: string): Worker | undefined {
  if (import.meta.url.endsWith(".ts")) return undefined;
  const task: Task = { task: ownTask, directory };
  return new Worker(new URL(import.meta.url), { workerData: task });
}

function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "task" in value && value.task === ownTask;
}

function serve(port: MessagePort, { directory }: Task): void {
  const files = new DocumentFiles(directory);
  let problem: Written["problem"];
  port.on("message", ({ bytes }: Pack) => {
    try {
      if (problem === undefined) writeAll(files, bytes);
    } catch (error) {
      const { outcome, message, hint } =
        error instanceof Failure ? error : new Failure("failed", String(error));
      problem = { outcome, message, hint };
    }
    const written: Written = { length: bytes.length, problem };
    port.postMessage(written);
  });
}

function writeAll(files: DocumentFiles, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const document = bytes.subarray(at, at + int32At(bytes, at));
    files.writeBare(document);
    at += document.length;
  }
}

if (!isMainThread && parentPort !== null && isTask(workerData)) serve(parentPort, workerData);
