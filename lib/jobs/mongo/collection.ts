import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { ClientSession } from "mongodb";
import { Failure, systemCode } from "../../errors.ts";
import { countDocumentsIn, removeDocumentsOfView } from "../../documents/held.ts";
import { KeptDocuments } from "../../documents/kept.ts";
import { isCapped, metadataBytes } from "../../documents/metadata.ts";
import {
  collectionPlace,
  documentPath,
  metadataName,
  orderName,
  type CollectionPlace,
} from "../../documents/place.ts";
import type { Checks } from "../../documents/remembered.ts";
import { sourceOf } from "../../documents/statefile.ts";
import { isStaged } from "../../documents/staging.ts";
import { indexesOf, isServerError, serverFailure } from "../../documents/server.ts";
import { writeFailure } from "../../process/writefailure.ts";
import { writeAtomically } from "../../state/atomic.ts";
import { confirmGone } from "./gone.ts";
import type { PlannedCollection } from "./planned.ts";
import { readCollection, withSnapshot, type Reading } from "./read.ts";
import type { MongoWorld } from "./world.ts";

export interface CollectionOptions {
  /** The directory of the whole export. */
  readonly root: string;
  readonly dryRun: boolean;
  readonly checks: Checks;
  readonly session: ClientSession | undefined;
  /** Called before anything is changed. */
  readonly beforeChange: () => void;
  /** Gets what has to be settled, however this ends. */
  readonly onOpened: (kept: KeptDocuments) => void;
  readonly onProgress: (documents: number) => void;
}

/** What came of a collection. */
export interface CollectionResult {
  readonly database: string;
  readonly collection: string;
  readonly kind: "collection" | "view";
  readonly documents: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Bytes of the documents that were read. */
  readonly bytes: number;
  /** Whether options or indexes are other ones, or the collection is new. */
  readonly metadataChanged: boolean;
}

/**
 * Exports a collection: writes what is new or changed, and when all has been read removes what is gone.
 * What was written before an error is kept and remembered; nothing is removed then. Throws a partial failure where only this
 * collection can't be read, failed() where the export can't go on.
 */
export async function exportCollection(
  planned: PlannedCollection,
  options: CollectionOptions,
  world: MongoWorld,
): Promise<CollectionResult> {
  const { server, database, listed } = planned;
  const what = `cannot read ${database}.${listed.name}`;
  try {
    return await readAndKeep(planned, options, world);
  } catch (error) {
    const failure = serverFailure(error, server.uri, what);
    throw isServerError(error) ? new Failure("partial", failure.message) : failure;
  }
}

async function readAndKeep(
  planned: PlannedCollection,
  options: CollectionOptions,
  world: MongoWorld,
): Promise<CollectionResult> {
  const { server, database, listed, mode } = planned;
  const { root, dryRun, checks, beforeChange } = options;
  const place = collectionPlace(root, database, listed.name);
  const kind = listed.type === "view" ? "view" : "collection";
  const capped = isCapped(listed.options);
  const db = server.client.db(database);
  const indexes = kind === "view" ? [] : await indexesOf(db, listed.name);
  const { name: collection, options: details } = listed;
  const metadata = { database, collection, kind, options: details, indexes, capped } as const;
  const staged = !dryRun && kind === "collection" && isStaged(root, place);
  const directory = staged ? place.staging : place.directory;
  const written = await writeIfOther(directory, metadataName, metadataBytes(metadata), options);
  const metadataChanged = written || staged;
  const base = { database, collection, kind, metadataChanged } as const;
  if (kind === "view") {
    const removed = clearView(place, options);
    return { ...base, documents: 0, added: 0, changed: 0, removed, bytes: 0 };
  }
  const expected = await db.collection(collection).estimatedDocumentCount();
  const { signal } = world;
  const source = sourceOf(listed.uuid);
  const how = { checks, dryRun, staged, expected, source, beforeChange, signal };
  const kept = await KeptDocuments.open(place, how);
  const order = capped ? new Order() : undefined;
  options.onOpened(kept);
  const reading: Reading = {
    db,
    collection,
    mode: capped ? { kind: "full" } : mode,
    session: undefined,
    serverNow: server.now,
    ...(order === undefined ? {} : { onDocument: (id) => order.add(documentPath(id)) }),
    onPage: () => options.onProgress(kept.seen),
  };
  try {
    // A server reads a capped collection at no other time than now, and its order is that of the whole.
    await withSnapshot(
      capped ? undefined : options.session,
      kept,
      async (session) => readCollection({ ...reading, session }, kept, world),
      () => world.events.detail(2, `${database}.${collection}: read without a snapshot`),
    );
    // The ids of long names are looked up in the files.
    await kept.flush();
    await confirmGone(planned, reading, kept, world);
    if (order !== undefined) await writeIfOther(directory, orderName, order.bytes(), options);
    await kept.removeGone();
    kept.publish();
  } finally {
    await kept.close();
  }
  return { ...base, documents: kept.documents, ...kept.counts };
}

/** Removes what a collection held that is a view now. */
function clearView(
  place: CollectionPlace,
  { dryRun, beforeChange }: Pick<CollectionOptions, "dryRun" | "beforeChange">,
): number {
  const documents = countDocumentsIn(place.directory);
  if (dryRun || (documents === 0 && !existsSync(place.state))) return documents;
  beforeChange();
  return removeDocumentsOfView(place);
}

/** Writes a file of a collection's where it holds something else; tells whether it did. */
async function writeIfOther(
  directory: string,
  name: string,
  bytes: Buffer,
  { dryRun, beforeChange }: CollectionOptions,
): Promise<boolean> {
  const file = path.join(directory, name);
  try {
    if (bytes.equals(await readFile(file))) return false;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  if (!dryRun) {
    beforeChange();
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw writeFailure(directory, error);
    }
    await writeAtomically(file, bytes);
  }
  return true;
}

/** The files of a capped collection in the order of their documents, a line each. */
class Order {
  readonly #parts: Buffer[] = [];
  #lines: string[] = [];

  add(file: string): void {
    if (this.#lines.push(`${file}\n`) >= 10_000) this.#pack();
  }

  bytes(): Buffer {
    this.#pack();
    return Buffer.concat(this.#parts);
  }

  /** As text of one byte a character it takes half the memory and less. */
  #pack(): void {
    this.#parts.push(Buffer.from(this.#lines.join(""), "latin1"));
    this.#lines = [];
  }
}
