import type { ClientSession, Db } from "mongodb";
import { exactly } from "../../documents/decode.ts";
import { idOf, types, valueOf, type Value } from "../../documents/bson.ts";
import type { KeptDocuments } from "../../documents/kept.ts";
import type { ReadMode } from "../../documents/rules.ts";
import {
  findRaw,
  hasNoSnapshot,
  pagesOf,
  rawBytes,
  type RawFilter,
} from "../../documents/server.ts";
import type { MongoWorld } from "./world.ts";

/** What is read of a collection, and how. */
export interface Reading {
  readonly db: Db;
  readonly collection: string;
  readonly mode: ReadMode;
  /** Reads see its point in time; undefined: each sees what is there. */
  readonly session: ClientSession | undefined;
  /** The server's clock when the export began. */
  readonly serverNow: number;
  /** Called with documents in the order in which the server sends them. */
  readonly onDocument?: (id: Value) => void;
  readonly onPage: () => void;
}

/** So many documents are asked for by their ids at once. */
export const idsAtOnce = 1000;

/**
 * Reads a collection into its files: all of it, or what its mode doesn't say is known. When it returns,
 * every document there is has been seen. Throws what the driver throws.
 */
export async function readCollection(
  reading: Reading,
  kept: KeptDocuments,
  world: MongoWorld,
): Promise<void> {
  const { mode } = reading;
  if (mode.kind === "timestamp") return readByTimestamp(reading, mode, kept, world);
  if (mode.kind === "write-once" && kept.documents > 0 && kept.isCurrent)
    return readById(reading, kept, world);
  return readWhere(reading, {}, kept, world);
}

/** Reads the documents that a filter means. Throws what the driver throws. */
export async function readWhere(
  reading: Reading,
  filter: RawFilter,
  kept: KeptDocuments,
  world: MongoWorld,
  look?: (bytes: Uint8Array) => void,
): Promise<void> {
  const { db, collection, session, onDocument, onPage } = reading;
  const cursor = findRaw(db, collection, filter, session === undefined ? {} : { session });
  for await (const page of pagesOf(cursor, world.signal)) {
    for (const document of page) {
      const bytes = rawBytes(document);
      kept.take(bytes);
      look?.(bytes);
      if (onDocument !== undefined) {
        const id = idOf(bytes);
        if (id !== undefined) onDocument(id);
      }
    }
    await kept.ready();
    onPage();
  }
}

/** Reads the ids, which the index on them holds, and the documents of those that are not known. */
async function readById(reading: Reading, kept: KeptDocuments, world: MongoWorld): Promise<void> {
  const { db, collection, session } = reading;
  const options = { projection: { _id: 1 }, ...(session === undefined ? {} : { session }) };
  const unknown: Uint8Array[] = [];
  const fetch = async (): Promise<void> => {
    if (unknown.length === 0) return;
    const ids = decodedIds(unknown.splice(0));
    await readWhere(reading, ids === undefined ? {} : { _id: { $in: ids } }, kept, world);
  };
  const cursor = findRaw(db, collection, {}, { ...options, hint: { _id: 1 } });
  for await (const page of pagesOf(cursor, world.signal)) {
    for (const document of page) {
      const bytes = rawBytes(document);
      const id = idOf(bytes);
      if (id !== undefined && kept.knows(id)) continue;
      // A copy: the page it lies in would be kept with it.
      unknown.push(bytes.slice());
      if (unknown.length >= idsAtOnce) await fetch();
    }
    reading.onPage();
  }
  await fetch();
}

/**
 * Reads the documents whose field is not long before the newest of the last export, and those that have no
 * date there, or several; then the ids, which tell what is gone, and what has come with an older date.
 */
async function readByTimestamp(
  reading: Reading,
  mode: ReadMode & { kind: "timestamp" },
  kept: KeptDocuments,
  world: MongoWorld,
): Promise<void> {
  const { field, overlapSeconds } = mode;
  // What another field told says nothing of this one.
  const told = kept.isCurrent && kept.known?.field === field ? kept.known.time : undefined;
  // A clock was ahead when that was learned: what was changed since then may be dated before it.
  const known = told !== undefined && told > reading.serverNow ? undefined : told;
  let newest = known ?? Number.NEGATIVE_INFINITY;
  const look = (bytes: Uint8Array): void => {
    const value = valueOf(bytes, field);
    if (value?.type !== types.date) return;
    const view = new DataView(value.bytes.buffer, value.bytes.byteOffset, 8);
    // A date to come would hide all changes until then.
    newest = Math.max(newest, Math.min(Number(view.getBigInt64(0, true)), reading.serverNow));
  };
  if (known === undefined || kept.documents === 0) {
    await readWhere(reading, {}, kept, world, look);
  } else {
    const since = new Date(known - overlapSeconds * 1000);
    // Of an array, the server compares what is in it.
    const filter = {
      $or: [
        { [field]: { $gte: since } },
        { [field]: { $not: { $type: "date" } } },
        { [field]: { $type: "array" } },
      ],
    };
    await readWhere(reading, filter, kept, world, look);
    await readById(reading, kept, world);
  }
  kept.learn(Number.isFinite(newest) ? { field, time: newest } : undefined);
}

/**
 * Ids as the driver takes them in a query; undefined where one does not come out of it as it was: the order
 * of keys such as "2" and "1" in a sub-document is lost.
 */
function decodedIds(documents: readonly Uint8Array[]): unknown[] | undefined {
  const decoded = documents.map((bytes) => exactly(bytes));
  return decoded.includes(undefined) ? undefined : decoded.map((each) => each?.["_id"] as unknown);
}

/**
 * Reads with a session that sees one point in time, where the server has that; and once more without it
 * where it has not, or has it no longer. Throws what the driver throws.
 */
export async function withSnapshot(
  session: ClientSession | undefined,
  kept: KeptDocuments,
  read: (session: ClientSession | undefined) => Promise<void>,
  onLost: (error: unknown) => void,
): Promise<void> {
  if (session === undefined) return read(undefined);
  try {
    await read(session);
  } catch (error) {
    if (!hasNoSnapshot(error)) throw error;
    onLost(error);
    kept.startAgain();
    await read(undefined);
  }
}
