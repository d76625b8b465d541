import { idOf } from "../../documents/bson.ts";
import { hashContent } from "../../documents/content.ts";
import { insertRaw } from "../../documents/insert.ts";
import { writeKeyOfDocument } from "../../documents/key.ts";
import { batches, copyKey, type DocumentPack } from "../../documents/pack.ts";
import { documentPath } from "../../documents/place.ts";
import { documentPacks } from "../../documents/reading.ts";
import type { DocumentTable } from "../../documents/table.ts";
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

/**
 * Inserts the documents of an export that the server does not hold, and returns how many: files are read while those
 * before them are inserted. Throws what the driver throws.
 */
export async function insertStored(inserting: Inserting, world: MongoWorld): Promise<number> {
  const { stored } = inserting.target;
  const sender = new Sender(inserting, world);
  const source = { directory: stored.directory, capped: stored.metadata.capped };
  const stop = new AbortController();
  let sending = Promise.resolve();
  try {
    const signal = AbortSignal.any([world.signal, stop.signal]);
    for await (const pack of documentPacks(source, signal)) {
      for (const file of pack.damaged)
        inserting.onProblem(`${file}: expected a document of that name, found a damaged file`);
      await sending;
      sending = sender.send(pack);
      // Thrown where it is awaited; nothing more need be read then.
      sending.catch(() => stop.abort());
    }
  } catch (error) {
    await sending;
    throw error;
  }
  await sending;
  return sender.inserted;
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

  async send(pack: DocumentPack): Promise<void> {
    const { server, stored } = this.#inserting.target;
    const ordered = stored.metadata.capped;
    const most = {
      documents: Math.min(server.maxBatch, batchDocuments),
      bytes: Math.min(batchBytes, server.maxMessage / 2),
    };
    const waiting = new Set<Promise<void>>();
    try {
      // While the server takes in a batch, the next is made out.
      for (const batch of batches(pack, this.#taking(pack), most)) {
        while (waiting.size >= (ordered ? 1 : atOnce)) await Promise.race(waiting);
        this.#world.signal.throwIfAborted();
        const sent = this.#sendBatch(batch, ordered).finally(() => waiting.delete(sent));
        waiting.add(sent);
        // An answer that is an error is thrown by who waits for it.
        sent.catch(() => {});
        this.#inserting.onProgress(this.inserted);
      }
      await Promise.all(waiting);
    } finally {
      await Promise.allSettled(waiting);
    }
  }

  /** Tells whether a document is not on the server; it counts as there from then on. */
  #taking(pack: DocumentPack): (bytes: Uint8Array, index: number) => boolean {
    const { table } = this.#inserting;
    const [key, content] = [new Uint32Array(4), new Uint32Array(4)];
    return (bytes, index) => {
      copyKey(pack, index, key);
      if (table.find(key) >= 0) return false;
      hashContent(bytes, content);
      table.set(key, content, false);
      return true;
    };
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
