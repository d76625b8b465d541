import { setImmediate } from "node:timers/promises";
import { idOf, isSound, type Value } from "../../documents/bson.ts";
import { hashContent } from "../../documents/content.ts";
import { insertRaw } from "../../documents/insert.ts";
import { writeKey, writeKeyOfDocument } from "../../documents/key.ts";
import { documentPath } from "../../documents/place.ts";
import { storedFiles } from "../../documents/stored.ts";
import type { DocumentTable } from "../../documents/table.ts";
import { DocumentWindow } from "../../documents/window.ts";
import type { Target } from "./target.ts";
import type { MongoWorld } from "./world.ts";

export interface Inserting {
  readonly target: Target;
  /** What is on the server; gets what is inserted. */
  readonly table: DocumentTable;
  readonly dryRun: boolean;
  readonly onProgress: (documents: number) => void;
  /** Gets what was not inserted, and why. */
  readonly onProblem: (problem: string) => void;
}

/** Documents and bytes of one message; more gain nothing. */
const batchDocuments = 2000;
const batchBytes = 8_000_000;
/** So many messages wait for their answers. */
const atOnce = 2;
/** Bytes that are read before they are sent: few at first, so that the server has something to do. */
const firstWindow = 2_097_152;
/** Room for the largest document, 16 MiB and what a server adds of its own. */
const lastWindow = 20_971_520;
/** So many files are read before the answers of the server get a turn. */
const filesAtOnce = 100;

/**
 * Inserts the documents of an export that the server does not hold, and returns how many: files are read while those
 * before them are inserted. Throws what the driver throws.
 */
export async function insertStored(inserting: Inserting, world: MongoWorld): Promise<number> {
  const sender = new Sender(inserting, world);
  let window = new DocumentWindow(firstWindow);
  let sending = Promise.resolve();
  const send = async (): Promise<void> => {
    await sending;
    sending = sender.send(window);
    // Thrown where it is awaited.
    sending.catch(() => {});
    window = new DocumentWindow(Math.min(window.capacity * 2, lastWindow));
  };
  const { stored } = inserting.target;
  try {
    let looked = 0;
    for (const file of storedFiles(stored)) {
      looked += 1;
      if (looked % filesAtOnce === 0) {
        await setImmediate();
        world.signal.throwIfAborted();
      }
      let bytes = window.read(stored.files, file);
      while (bytes === "full" && !(window.isEmpty && window.capacity >= lastWindow)) {
        await send();
        bytes = window.read(stored.files, file);
      }
      take(bytes === "full" ? undefined : bytes, file, window, inserting);
    }
    await send();
  } finally {
    await sending.catch(() => {});
  }
  await sending;
  return sender.inserted;
}

const key = new Uint32Array(4);
const content = new Uint32Array(4);

/** Keeps a document that is as its file's name says, and is not on the server. */
function take(
  bytes: Uint8Array | undefined,
  file: string,
  window: DocumentWindow,
  { table, onProblem }: Inserting,
): void {
  const id = bytes === undefined ? undefined : idOfSound(bytes);
  if (bytes === undefined || id === undefined || documentPath(id) !== file) {
    onProblem(`${file}: expected a document of that name, found a damaged file`);
    return;
  }
  writeKey(id, key);
  if (table.find(key) >= 0) return;
  hashContent(bytes, content);
  table.set(key, content, false);
  window.keep(id, bytes);
}

function idOfSound(bytes: Uint8Array): Value | undefined {
  return isSound(bytes) ? idOf(bytes) : undefined;
}

/** Sends documents, some messages at once. */
class Sender {
  inserted = 0;
  readonly #inserting: Inserting;
  readonly #world: MongoWorld;

  constructor(inserting: Inserting, world: MongoWorld) {
    this.#inserting = inserting;
    this.#world = world;
  }

  async send(window: DocumentWindow): Promise<void> {
    const { server, stored } = this.#inserting.target;
    const ordered = stored.metadata.capped;
    const most = {
      documents: Math.min(server.maxBatch, batchDocuments),
      bytes: Math.min(batchBytes, server.maxMessage / 2),
    };
    const waiting = new Set<Promise<void>>();
    try {
      for (const batch of window.batches(ordered, most)) {
        const sent = this.#sendBatch(batch, ordered).finally(() => waiting.delete(sent));
        waiting.add(sent);
        // An answer that is an error is thrown by who waits for it.
        sent.catch(() => {});
        while (waiting.size >= (ordered ? 1 : atOnce)) await Promise.race(waiting);
        this.#inserting.onProgress(this.inserted);
        this.#world.signal.throwIfAborted();
      }
      await Promise.all(waiting);
    } finally {
      await Promise.allSettled(waiting);
    }
  }

  async #sendBatch(batch: readonly Uint8Array[], ordered: boolean): Promise<void> {
    const { target, dryRun, table, onProblem } = this.#inserting;
    this.inserted += batch.length;
    if (dryRun) return;
    const db = target.server.client.db(target.database);
    const { collection } = target.stored.metadata;
    const refusedKey = new Uint32Array(4);
    for (let from = 0; from < batch.length;) {
      const errors = await insertRaw(db, collection, batch.slice(from), ordered);
      for (const { index, message } of errors) {
        const refused = batch[from + index];
        this.inserted -= 1;
        const id = refused === undefined ? undefined : idOf(refused);
        const file = id === undefined ? "a document" : documentPath(id);
        onProblem(`${file}: the server refused it: ${message}`);
        if (refused === undefined) continue;
        // It is told, and not expected to be there.
        if (writeKeyOfDocument(refused, refusedKey)) table.remove(refusedKey);
      }
      // In order, the server goes no further than the first that it refuses.
      const [first] = errors;
      from = ordered && first !== undefined ? from + first.index + 1 : batch.length;
    }
  }
}
