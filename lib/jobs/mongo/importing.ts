import { setImmediate } from "node:timers/promises";
import type { Db, Document } from "mongodb";
import { Failure, type Outcome } from "../../errors.ts";
import { exactly } from "../../documents/decode.ts";
import { writeKey } from "../../documents/key.ts";
import { insertRaw } from "../../documents/insert.ts";
import { nameOf } from "../../documents/metadata.ts";
import { indexesOf, isServerError, serverFailure, type Server } from "../../documents/server.ts";
import { storedFiles } from "../../documents/stored.ts";
import type { Target } from "./target.ts";
import type { Existing } from "./existing.ts";
import { verifyImport } from "./verifyimport.ts";
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
    if (this.#options.dryRun) {
      if (kind === "collection") await this.#insertAll();
      indexes = metadata.indexes.length;
    } else {
      if (listed === undefined) await this.#create();
      if (kind === "collection") {
        await this.#insertAll();
        indexes = await this.#createIndexes();
      }
      for (const problem of await verifyImport(this.#target, this.#existing, this.#world))
        this.#tell("difference", problem);
    }
    if (this.#problemCount > mostTold)
      this.#world.events.warn(
        `${database}.${collection}: ${this.#problemCount - mostTold} more problems`,
      );
    return {
      database,
      collection,
      kind,
      outcome: this.#outcome,
      documents: before + this.#inserted,
      inserted: this.#inserted,
      existing: before,
      indexes,
      problems: this.#problems,
    };
  }

  async #create(): Promise<void> {
    const { metadata } = this.#target.stored;
    const options = this.#decoded(metadata.options, "its options");
    await this.#db.command({ create: metadata.collection, ...options });
  }

  async #insertAll(): Promise<void> {
    const { stored } = this.#target;
    const { table, hasher } = this.#existing;
    const ordered = stored.metadata.capped;
    const waiting = new Set<Promise<void>>();
    const key = new Uint32Array(4);
    const content = new Uint32Array(4);
    let batch: Uint8Array[] = [];
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
        if (found === undefined) {
          this.#tell("partial", `${file}: expected a document of that name, found a damaged file`);
          continue;
        }
        writeKey(found.id, key);
        if (table.find(key) >= 0) continue;
        hasher.hash(found.bytes, content);
        table.set(key, content, false);
        if (batch.length >= most || (batch.length > 0 && bytes + found.bytes.length > mostBytes))
          await send();
        batch.push(found.bytes);
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
    batch: readonly Uint8Array[],
    files: readonly string[],
    ordered: boolean,
  ): Promise<void> {
    if (!this.#options.dryRun) {
      const { collection } = this.#target.stored.metadata;
      const errors = await insertRaw(this.#db, collection, batch, ordered);
      for (const { index, message } of errors)
        this.#tell("partial", `${files[index] ?? "a document"}: the server refused it: ${message}`);
      this.#inserted -= errors.length;
    }
    this.#inserted += batch.length;
  }

  /** One by one, so that one that can't be made doesn't keep the others out. */
  async #createIndexes(): Promise<number> {
    const { metadata } = this.#target.stored;
    const there = new Set((await indexesOf(this.#db, metadata.collection)).map(nameOf));
    let made = 0;
    for (const index of metadata.indexes) {
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
