import type { Worker } from "node:worker_threads";
import { Failure, failed } from "../errors.ts";
import { DocumentFiles } from "./files.ts";
import type { Written } from "./filethread.ts";
import { syncFiles } from "./sync.ts";

/** Writes files of documents into a directory that nobody looks into. close() it in any case. */
export interface StageWriter {
  /** Takes a document that has an id. Its bytes may change afterwards. Throws failed(). */
  write(bytes: Uint8Array): void;
  /** Waits until few are waiting. Throws failed(). */
  ready(): Promise<void>;
  /** Waits until all are written. Throws failed(). */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Starting a thread takes longer than writing so many files. */
const fewest = 10_000;
/** Bytes that go to the thread at once, and those that may wait there. */
const packBytes = 131_072;
const mostWaiting = 4_194_304;
/** After so many files the system is told to write them: else it would do that at the end, while all wait for it. */
const filesPerSync = 50_000;

/** A writer for about so many documents. */
export async function stageWriter(directory: string, expected: number): Promise<StageWriter> {
  if (expected < fewest) return directWriter(directory);
  const { startFileThread } = await import("./filethread.ts");
  const thread = startFileThread(directory);
  return thread === undefined ? directWriter(directory) : new ThreadWriter(directory, thread);
}

async function nothing(): Promise<void> {}

function directWriter(directory: string): StageWriter {
  const files = new DocumentFiles(directory);
  return {
    write: (bytes) => files.writeBare(bytes),
    ready: nothing,
    flush: nothing,
    close: nothing,
  };
}

class ThreadWriter implements StageWriter {
  readonly #directory: string;
  readonly #worker: Worker;
  #files = 0;
  #syncing: Promise<void> | undefined;
  #pack = new Uint8Array(packBytes);
  #used = 0;
  #waiting = 0;
  #failure: Error | undefined;
  /** Goes on with who waits. */
  #wake = (): void => {};

  constructor(directory: string, worker: Worker) {
    this.#directory = directory;
    this.#worker = worker;
    worker.on("message", ({ length, problem }: Written) => {
      this.#waiting -= length;
      if (problem !== undefined) this.#failure ??= failureOf(problem);
      this.#wake();
    });
    worker.on("error", (cause) => {
      this.#failure ??= failed(`the thread that writes files failed: ${String(cause)}`, { cause });
      this.#wake();
    });
    worker.on("exit", () => {
      this.#failure ??= failed("the thread that writes files has ended");
      this.#wake();
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#pack.length) {
      this.#send();
      if (bytes.length > packBytes) this.#pack = new Uint8Array(bytes.length);
    }
    this.#pack.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#files += 1;
    if (this.#files % filesPerSync === 0) this.#sync();
  }

  async ready(): Promise<void> {
    return this.#until(mostWaiting);
  }

  async flush(): Promise<void> {
    this.#send();
    await this.#syncing;
    await this.#until(0);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #until(most: number): Promise<void> {
    while (this.#failure === undefined && this.#waiting > most)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The system tells of what the disk refused once: a later sync would not know of it. */
  #sync(): void {
    this.#syncing ??= syncFiles([this.#directory])
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : failed(String(error));
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  #send(): void {
    if (this.#used === 0) return;
    const bytes = this.#pack.subarray(0, this.#used);
    this.#waiting += this.#used;
    this.#worker.postMessage({ bytes }, [this.#pack.buffer]);
    this.#pack = new Uint8Array(packBytes);
    this.#used = 0;
  }
}

function failureOf({ outcome, message, hint }: NonNullable<Written["problem"]>): Failure {
  return new Failure(outcome, message, hint === undefined ? {} : { hint });
}
