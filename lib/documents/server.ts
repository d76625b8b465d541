import { setImmediate } from "node:timers/promises";
import {
  MongoClient,
  MongoCompatibilityError,
  MongoNetworkError,
  MongoServerError,
  type ClientSession,
  type Db,
  type FindCursor,
  type FindOptions,
} from "mongodb";
import * as v from "valibot";
import { Failure, failed, refused, systemCode, usage } from "../errors.ts";
import { readIndex, readListed, type Listed } from "./metadata.ts";
import { takeBuffered } from "./rawpage.ts";
import { withoutSecrets, type MongoUri } from "./uri.ts";

/** What a server takes at once, and its clock. */
interface Greeting {
  /** Documents in one write. */
  readonly maxBatch: number;
  /** Bytes in one message. */
  readonly maxMessage: number;
  /** Milliseconds since 1970, by the server's clock where it tells, or ours if that is behind: one may be ahead. */
  readonly now: number;
}

/** A connected server. close() it in any case. */
export interface Server extends Greeting {
  readonly client: MongoClient;
  readonly uri: MongoUri;
  close(): Promise<void>;
}

const unlisted = new Set(["admin", "config", "local"]);

/** Throws usage() where a connection string of an export names a database of the server's own: most often it means where the user is known. */
export function expectUsersDatabase({ database, label }: MongoUri): void {
  if (database === undefined || !unlisted.has(database)) return;
  throw usage(
    `${label}: expected a database of yours in the connection string, or none for all, found ${database}, which is the server's own`,
    {
      hint: "authSource says where the user is known: mongodb://USER:PASSWORD@HOST:27017/?authSource=admin",
    },
  );
}

/** Connects and asks what kind of server it is. Throws usage, failed, or refused for a sharded cluster. */
export async function connect(uri: MongoUri): Promise<Server> {
  let client: MongoClient;
  try {
    client = new MongoClient(uri.text, { appName: "rclone-backups" });
  } catch (error) {
    throw usage(`${uri.label}: ${messageOf(error, uri)}`, { cause: error });
  }
  try {
    await client.connect();
    const greeting = readGreeting(await client.db("admin").command({ hello: 1 }), uri.label);
    return { client, uri, ...greeting, close: async () => client.close() };
  } catch (error) {
    await client.close().catch(() => {});
    throw serverFailure(error, uri, "cannot connect");
  }
}

/** What a server answers to `hello`. Throws refused() for a router of a sharded cluster. */
export function readGreeting(hello: Readonly<Record<string, unknown>>, label: string): Greeting {
  if (hello["msg"] === "isdbgrid")
    throw refused(`${label}: expected a server or a replica set, found a sharded cluster`, {
      hint: "ids are unique in each shard alone, and there is no one time for all of them: use the provider's snapshots for a cluster",
    });
  const number = (key: string, otherwise: number): number => {
    const value = hello[key];
    return typeof value === "number" && value > 0 ? value : otherwise;
  };
  const { localTime } = hello;
  return {
    maxBatch: number("maxWriteBatchSize", 1000),
    maxMessage: number("maxMessageSizeBytes", 48_000_000),
    now: Math.min(localTime instanceof Date ? localTime.getTime() : Infinity, Date.now()),
  };
}

/** What is to be told of an error of the driver's: never a password. Failures stay as they are. */
export function serverFailure(error: unknown, uri: MongoUri, what: string): Failure {
  if (error instanceof Failure) return error;
  // Some other program's error than the driver's, such as of a file.
  const code = systemCode(error);
  const text = messageOf(error, uri);
  return failed(`${uri.label}: ${what}: ${text}${code === undefined ? "" : ` (${code})`}`, {
    ...hintFor(text),
    // Not the error itself: with -vv its parts might be shown.
  });
}

/** Whether only this command failed, and the connection serves on. */
export function isServerError(error: unknown): boolean {
  return error instanceof MongoServerError && !(error instanceof MongoNetworkError);
}

/** Whether it is told that reads at one point in time can't be had here, or no longer. */
export function hasNoSnapshot(error: unknown): boolean {
  // The driver itself refuses them for servers before 5.0.
  return isServerError(error) || error instanceof MongoCompatibilityError;
}

function hintFor(text: string): { hint: string } | undefined {
  if (/auth/i.test(text))
    return {
      hint: "user, password and authSource stand in the connection string; reading all databases takes the role backup or readAnyDatabase",
    };
  return undefined;
}

function messageOf(error: unknown, uri: MongoUri): string {
  return withoutSecrets(error instanceof Error ? error.message : String(error), uri);
}

/** The databases that an export of this connection string holds: the one it names, or all but the server's own. */
export async function databasesOf({ client, uri }: Server): Promise<readonly string[]> {
  if (uri.database !== undefined) return [uri.database];
  try {
    const { databases } = v.parse(databaseList, await listDatabases(client));
    return databases.map(({ name }) => name).filter((name) => !unlisted.has(name));
  } catch (error) {
    throw serverFailure(error, uri, "cannot list the databases");
  }
}

const databaseList = v.object({ databases: v.array(v.object({ name: v.string() })) });

/** All databases or an error: without being asked so, a server lists those alone that the user may read. */
async function listDatabases(client: MongoClient): Promise<unknown> {
  const admin = client.db("admin");
  const command = { listDatabases: 1, nameOnly: true };
  try {
    return await admin.command({ ...command, authorizedDatabases: false });
  } catch (error) {
    if (!isServerError(error) || !isUnknownField(error)) throw error;
    // FerretDB knows no such field, and lists all.
    return admin.command(command);
  }
}

function isUnknownField(error: unknown): boolean {
  const text = error instanceof Error ? error.message : "";
  return /authorizedDatabases'? is an (?:unrecognized field name|unknown field)/.test(text);
}

/** What a database holds of that name now. Throws failed(). */
export async function collectionOf(
  server: Server,
  database: string,
  name: string,
): Promise<Listed | undefined> {
  const listed = await collectionsOf(server, database, { name });
  return listed.find((each) => each.name === name);
}

/** What a database holds, as its server lists it. Throws failed(). */
export async function collectionsOf(
  server: Server,
  database: string,
  filter: { readonly name?: string } = {},
): Promise<readonly Listed[]> {
  try {
    const cursor = server.client.db(database).listCollections(filter, { raw: true });
    return (await cursor.toArray()).map((entry) => readListed(rawBytes(entry)));
  } catch (error) {
    throw serverFailure(error, server.uri, `cannot list the collections of ${database}`);
  }
}

/** The indexes of a collection, without that of the id; as the server sent them. */
export async function indexesOf(db: Db, collection: string): Promise<readonly Uint8Array[]> {
  const entries = await db.collection(collection).listIndexes({ raw: true }).toArray();
  return entries
    .map((entry: unknown) => readIndex(rawBytes(entry)))
    .filter((index) => index !== undefined);
}

/** So many documents come with one answer, if they are small. */
const pageDocuments = 1000;

export type RawFilter = Readonly<Record<string, unknown>>;

/** Asks for documents as the server keeps them. */
export function findRaw(
  db: Db,
  collection: string,
  filter: RawFilter,
  options: FindOptions,
): FindCursor {
  return db
    .collection<RawFilter>(collection)
    .find(filter, { batchSize: pageDocuments, ...options, raw: true });
}

/**
 * The documents of a cursor, a page at a time; the next page is asked for while one is worked on. Any
 * error of the server's is thrown; but a cursor can end early without one, so nothing is gone for not having come.
 */
export async function* pagesOf(
  cursor: FindCursor,
  signal: AbortSignal,
): AsyncGenerator<readonly unknown[]> {
  let more = cursor.hasNext();
  try {
    while (await more) {
      signal.throwIfAborted();
      const page = takeBuffered(cursor);
      more = cursor.hasNext();
      // Thrown where it is awaited.
      more.catch(() => {});
      // The driver writes the question in a later turn, and whoever works on the page leaves it none.
      await setImmediate();
      yield page;
    }
  } finally {
    await more.catch(() => {});
    await cursor.close().catch(() => {});
  }
}

/** A session whose reads all see one point in time; undefined where the driver knows of none. */
export function snapshotSession({ client }: Server): ClientSession | undefined {
  try {
    return client.startSession({ snapshot: true });
  } catch {
    return undefined;
  }
}

/** With `raw`, the driver gives bytes where its types say documents. */
export function rawBytes(document: unknown): Uint8Array {
  if (document instanceof Uint8Array) return document;
  throw failed("expected raw documents of the driver, found decoded ones");
}
