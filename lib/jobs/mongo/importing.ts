import { setImmediate } from "node:timers/promises";
import type { Db, Document } from "mongodb";
import { Failure, type Outcome } from "../../errors.ts";
import { isSound, valueOf, type Value } from "../../documents/bson.ts";
import { exactly } from "../../documents/decode.ts";
import { writeKey } from "../../documents/key.ts";
import { insertRaw } from "../../documents/insert.ts";
import { nameOf } from "../../documents/metadata.ts";
import { indexesOf, isServerError, serverFailure, type Server } from "../../documents/server.ts";
import { storedFiles } from "../../documents/stored.ts";
import type { Target } from "./target.ts";
import type { Existing } from "./existing.ts";
import { verifyImport, verifyIndexes } from "./verifyimport.ts";
import type { MongoWorld } from "./world.ts";

/** What came of a collection. */
export interface ImportedCollection {
  readonly database: string;
  readonly collection: string;
  readonly kind: "collection" | "view";
  readonly outcome: Outcome;
  /** How many the export holds; damaged files do not count. */
  readonly documents: number;
  readonly inserted: number;
  /** How many were there before. */
  readonly existing: number;
  readonly indexes: number;
  /** What was not imported, or came out otherwise; in words. */
  readonly problems: readonly string[];
}

interface ImportOptions {
  readonly dryRun: boolean;
  readonly onProgress: (documents: number) => void;
}

interface StoredDocument {
  readonly id: Value;
  readonly bytes: Uint8Array;
}

/** Documents and bytes of one message; more gain nothing. */
const batchDocuments = 2000;
const batchBytes = 8_000_000;
/** So many messages wait for their answers. */
const atOnce = 2;
/** So many problems are told one by one. */
const mostTold = 10;

/** Imports one collection: options, documents, then indexes; and reads it back. Throws failed() where it can't go on. */
export async function importCollection(
  target: Target,
  existing: Existing,
  options: ImportOptions,
  world: MongoWorld,
): Promise<ImportedCollection> {
  const { stored, server, database } = target;
  const { collection } = stored.metadata;
  try {
    return await new Import(target, existing, options, world).run();
  } catch (error) {
    throw serverFailure(error, server.uri, `cannot import ${database}.${collection}`);
  }
}

class Import {
  readonly #target: Target;
  readonly #existing: Existing;
  readonly #options: ImportOptions;
  readonly #world: MongoWorld;
  readonly #db: Db;
  readonly #server: Server;
  readonly #problems: string[] = [];
  readonly #refusedIndexes = new Set<string>();
  #problemCount = 0;
  #outcome: Outcome = "done";
  #inserted = 0;

  constructor(target: Target, existing: Existing, options: ImportOptions, world: MongoWorld) {
    this.#target = target;
    this.#existing = existing;
    this.#options = options;
    this.#world = world;
    this.#server = target.server;
    this.#db = target.server.client.db(target.database);
  }

  async run(): Promise<ImportedCollection> {
    const { stored, listed, database } = this.#target;
    const { metadata } = stored;
    const { collection, kind } = metadata;
    const before = this.#existing.table.count;
    let indexes = 0;
    const base = { database, collection, kind, problems: this.#problems };
    if (this.#options.dryRun) {
      if (kind === "collection") await this.#insertAll();
      indexes = metadata.indexes.length;
    } else {
      if (listed === undefined && !(await this.#create()))
        return { ...base, outcome: this.#outcome, documents: 0, inserted: 0, existing: 0, indexes };
      if (kind === "collection") {
        await this.#insertAll();
        indexes = await this.#createIndexes(metadata.indexes.filter((index) => !expires(index)));
      }
      for (const problem of await verifyImport(this.#target, this.#existing, this.#world))
        this.#tell("difference", problem);
      // When all has been compared: from then on the server removes documents.
      if (kind === "collection") {
        indexes += await this.#createIndexes(metadata.indexes.filter(expires));
        for (const problem of await verifyIndexes(this.#target, this.#refusedIndexes))
          this.#tell("difference", problem);
      }
    }
    if (this.#problemCount > mostTold)
      this.#world.events.warn(
        `${database}.${collection}: ${this.#problemCount - mostTold} more problems`,
      );
    return {
      ...base,
      outcome: this.#outcome,
      documents: before + this.#inserted,
      inserted: this.#inserted,
      existing: before,
      indexes,
    };
  }

  /** Tells and returns false where only this collection can't be made. */
  async #create(): Promise<boolean> {
    const { collection } = this.#target.stored.metadata;
    try {
      await this.#createNamed();
      return true;
    } catch (error) {
      const isOne = error instanceof Failure && error.outcome === "partial";
      if (!isOne && !isServerError(error)) throw error;
      const what = `cannot make ${this.#target.database}.${collection}`;
      this.#tell("partial", serverFailure(error, this.#server.uri, what).message);
      return false;
    }
  }

  async #createNamed(): Promise<void> {
    const { metadata } = this.#target.stored;
    const options = this.#decoded(metadata.options, "its options");
    if ("create" in options)
      throw new Failure("partial", "its options: expected none of the name create, found one");
    await this.#db.command({ create: metadata.collection, ...options });
  }

  async #insertAll(): Promise<void> {
    const { stored } = this.#target;
    const { table, hasher } = this.#existing;
    const ordered = stored.metadata.capped;
    const waiting = new Set<Promise<void>>();
    const key = new Uint32Array(4);
    const content = new Uint32Array(4);
    let batch: StoredDocument[] = [];
    let files: string[] = [];
    let bytes = 0;
    const most = Math.min(this.#server.maxBatch, batchDocuments);
    const mostBytes = Math.min(batchBytes, this.#server.maxMessage / 2);
    const send = async (): Promise<void> => {
      const sent = this.#send(batch, files, ordered).finally(() => waiting.delete(sent));
      [batch, files, bytes] = [[], [], 0];
      waiting.add(sent);
      // An answer that is an error is thrown by who waits for it.
      sent.catch(() => {});
      // It goes out before the next ones are read.
      await setImmediate();
      while (waiting.size >= (ordered ? 1 : atOnce)) await Promise.race(waiting);
      this.#options.onProgress(this.#inserted);
      this.#world.signal.throwIfAborted();
    };
    try {
      for (const file of storedFiles(stored)) {
        const found = stored.files.read(file);
        if (found === undefined || !isSound(found.bytes)) {
          this.#tell("partial", `${file}: expected a document of that name, found a damaged file`);
          continue;
        }
        writeKey(found.id, key);
        if (table.find(key) >= 0) continue;
        hasher.hash(found.bytes, content);
        table.set(key, content, false);
        if (batch.length >= most || (batch.length > 0 && bytes + found.bytes.length > mostBytes))
          await send();
        batch.push(found);
        files.push(file);
        bytes += found.bytes.length;
      }
      if (batch.length > 0) await send();
    } finally {
      await Promise.allSettled(waiting);
    }
    await Promise.all(waiting);
  }

  async #send(
    batch: readonly StoredDocument[],
    files: readonly string[],
    ordered: boolean,
  ): Promise<void> {
    this.#inserted += batch.length;
    if (this.#options.dryRun) return;
    const { collection } = this.#target.stored.metadata;
    const key = new Uint32Array(4);
    for (let from = 0; from < batch.length;) {
      const sent = batch.slice(from).map(({ bytes }) => bytes);
      const errors = await insertRaw(this.#db, collection, sent, ordered);
      for (const { index, message } of errors) {
        const refused = batch[from + index];
        const file = files[from + index] ?? "a document";
        this.#tell("partial", `${file}: the server refused it: ${message}`);
        this.#inserted -= 1;
        if (refused === undefined) continue;
        // It is told, and not expected to be there.
        writeKey(refused.id, key);
        this.#existing.table.remove(key);
      }
      // In order, the server goes no further than the first that it refuses.
      const [first] = errors;
      from = ordered && first !== undefined ? from + first.index + 1 : batch.length;
    }
  }

  /** One by one, so that one that can't be made doesn't keep the others out. */
  async #createIndexes(indexes: readonly Uint8Array[]): Promise<number> {
    if (indexes.length === 0) return 0;
    const { metadata } = this.#target.stored;
    const there = new Set((await indexesOf(this.#db, metadata.collection)).map(nameOf));
    let made = 0;
    for (const index of indexes) {
      const name = nameOf(index);
      if (there.has(name)) continue;
      try {
        const decoded = this.#decoded(index, `the index ${name}`);
        await this.#db.command({ createIndexes: metadata.collection, indexes: [decoded] });
        made += 1;
      } catch (error) {
        const isOne = error instanceof Failure && error.outcome === "partial";
        if (!isOne && !isServerError(error)) throw error;
        const text = serverFailure(error, this.#server.uri, `the index ${name}`).message;
        this.#tell("partial", text);
        this.#refusedIndexes.add(name);
      }
    }
    return made;
  }

  #decoded(bytes: Uint8Array, what: string): Document {
    const decoded = exactly(bytes);
    if (decoded === undefined)
      throw new Failure(
        "partial",
        `${what}: expected keys in an order that can be sent, found keys that are numbers`,
      );
    return decoded;
  }

  #tell(outcome: "partial" | "difference", problem: string): void {
    const { database, stored } = this.#target;
    if (this.#outcome !== "difference") this.#outcome = outcome;
    this.#problemCount += 1;
    if (this.#problemCount > mostTold) return;
    this.#problems.push(problem);
    this.#world.events.warn(`${database}.${stored.metadata.collection}: ${problem}`);
  }
}

/** Whether a server removes documents by this index. */
function expires(index: Uint8Array): boolean {
  return valueOf(index, "expireAfterSeconds") !== undefined;
}
