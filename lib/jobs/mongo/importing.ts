import type { Db, Document } from "mongodb";
import { Failure, type Outcome } from "../../errors.ts";
import { valueOf } from "../../documents/bson.ts";
import { exactly } from "../../documents/decode.ts";
import { nameOf } from "../../documents/metadata.ts";
import { indexesOf, isServerError, serverFailure, type Server } from "../../documents/server.ts";
import type { Target } from "./target.ts";
import type { Existing } from "./existing.ts";
import { insertStored } from "./inserting.ts";
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
    const { dryRun, onProgress } = this.#options;
    const onProblem = (problem: string): void => this.#tell("partial", problem);
    const { table } = this.#existing;
    const inserting = { target: this.#target, table, dryRun, onProgress, onProblem };
    this.#inserted = await insertStored(inserting, this.#world);
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
