import { mkdir, readdir } from "node:fs/promises";
import {
  Failure,
  failed,
  firstOutcome,
  refused,
  systemCode,
  usage,
  type Outcome,
} from "../errors.ts";
import { foreignEntry, isExport } from "../documents/held.ts";
import type { KeptDocuments } from "../documents/kept.ts";
import { refuseLinksOfExport, refuseLinksOfPlace } from "../documents/links.ts";
import { RunMark } from "../documents/mark.ts";
import { directoryName } from "../documents/names.ts";
import { collectionPlace, lockFile, ownDirectory } from "../documents/place.ts";
import type { Checks } from "../documents/remembered.ts";
import { modeOf, readRules } from "../documents/rules.ts";
import {
  collectionsOf,
  connect,
  databasesOf,
  expectUsersDatabase,
  snapshotSession,
  type Server,
} from "../documents/server.ts";
import { settle } from "../documents/settle.ts";
import { clearStaging } from "../documents/staging.ts";
import type { MongoUri } from "../documents/uri.ts";
import { writeFailure } from "../process/writefailure.ts";
import { acquireLock, type Lock } from "../state/lock.ts";
import { expectSameDatabases } from "./mongo/belonging.ts";
import { exportCollection, type CollectionResult } from "./mongo/collection.ts";
import { removeDropped, type Dropped } from "./mongo/dropped.ts";
import { planDatabase } from "./mongo/plan.ts";
import type { NotExported, PlannedDatabase } from "./mongo/planned.ts";
import type { MongoWorld } from "./mongo/world.ts";

export interface MongoExportOptions {
  readonly uris: readonly MongoUri[];
  /** The directory of the export. */
  readonly to: string;
  /** Globs of DATABASE.COLLECTION. */
  readonly exclude: readonly string[];
  /** A file of rules. */
  readonly config: string | undefined;
  readonly dryRun: boolean;
  readonly checks: Checks;
  /** Whether a server, or a database that a connection string names, may hold nothing. */
  readonly allowEmpty: boolean;
  /** Whether a database may take the place of another one of its name, from another server. */
  readonly replace: boolean;
}

export interface MongoExportResult {
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly collections: readonly CollectionResult[];
  /** Kinds that can't be exported, and collections that could not be read. */
  readonly missing: readonly NotExported[];
  readonly excluded: number;
  readonly dropped: readonly Dropped[];
}

/** So many documents are kept in memory of collections that are done, to sync once for them all. */
const mostUnsettled = 100_000;

/**
 * Brings a directory to what the databases hold: one file a document, written where it is new or changed,
 * removed where it is gone. All is listed before anything is changed. Throws usage, failed, refused,
 * skipped or interrupted.
 */
export async function exportMongo(
  options: MongoExportOptions,
  world: MongoWorld,
): Promise<MongoExportResult> {
  for (const uri of options.uris) expectUsersDatabase(uri);
  const rules = options.config === undefined ? [] : await readRules(options.config);
  await checkRoot(options.to);
  const servers: Server[] = [];
  let lock: Lock | undefined;
  try {
    for (const uri of options.uris) servers.push(await connect(uri));
    lock = await openRoot(options, world);
    const databases: PlannedDatabase[] = [];
    for (const server of servers) {
      const names = await databasesOf(server);
      if (names.length === 0 && !options.allowEmpty) throw noDatabases(server);
      for (const name of names) databases.push(await planOne(server, name, options, rules));
    }
    checkNames(databases);
    for (const { collections } of databases)
      for (const { database, listed } of collections)
        refuseLinksOfPlace(collectionPlace(options.to, database, listed.name));
    if (!options.replace) await expectSameDatabases(databases, options.to, world);
    return await exportAll(databases, options, world);
  } finally {
    for (const server of servers) await server.close().catch(() => {});
    await lock?.release();
  }
}

/** Makes sure that the directory is an export, or can become one. */
async function checkRoot(to: string): Promise<void> {
  let entries: readonly string[] = [];
  try {
    entries = await readdir(to);
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT")
      throw failed(`--to: cannot list ${to} (${systemCode(cause) ?? String(cause)})`, { cause });
  }
  if (entries.length > 0 && !isExport(to)) {
    const foreign = foreignEntry(to);
    if (foreign !== undefined)
      throw refused(`--to: expected an empty directory or an export, found ${to}/${foreign}`, {
        hint: "files of documents are removed there when the documents are gone: name a directory of its own",
      });
  }
  refuseLinksOfExport(to);
}

/** Makes the directory, and locks it. */
async function openRoot(
  { to, dryRun }: MongoExportOptions,
  world: MongoWorld,
): Promise<Lock | undefined> {
  if (dryRun && !isExport(to)) return undefined;
  try {
    await mkdir(`${to}/${ownDirectory}`, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw writeFailure(to, error);
  }
  return acquireLock(lockFile(to), {
    mode: "exclusive",
    command: "mongo-export",
    signal: world.signal,
    now: world.now,
  });
}

async function planOne(
  server: Server,
  name: string,
  { exclude, allowEmpty }: MongoExportOptions,
  rules: Awaited<ReturnType<typeof readRules>>,
): Promise<PlannedDatabase> {
  const listed = await collectionsOf(server, name);
  const { exported, refused: unknown, excluded } = planDatabase(name, listed, exclude);
  // The server's own do not count: they are in none of these.
  const found = exported.length + unknown.length + excluded.length;
  if (found === 0 && server.uri.database !== undefined && !allowEmpty)
    throw failed(
      `${server.uri.label}: expected collections in the database ${name}, found none, or no such database`,
      { hint: "look at the name in the connection string; --allow-empty exports it as it is" },
    );
  return {
    name,
    server,
    collections: exported.map((each) => ({
      server,
      database: name,
      listed: each,
      mode: modeOf(rules, name, each.name),
    })),
    missing: unknown.map((each) => ({
      database: name,
      collection: each.name,
      reason: each.reason,
    })),
    excluded: excluded.length,
  };
}

/** A server that lost its data would empty the export. */
function noDatabases({ uri }: Server): Error {
  return failed(`${uri.label}: expected databases on the server, found none`, {
    hint: "is it the right server, and are its data there? --allow-empty exports it as it is",
  });
}

/** Two databases of one name would share a directory. */
function checkNames(databases: readonly PlannedDatabase[]): void {
  const seen = new Set<string>();
  for (const { name } of databases) {
    if (seen.has(name))
      throw usage(`expected each database once, found ${name} on two servers`, {
        hint: "export each server into a directory of its own",
      });
    seen.add(name);
  }
}

async function exportAll(
  databases: readonly PlannedDatabase[],
  options: MongoExportOptions,
  world: MongoWorld,
): Promise<MongoExportResult> {
  const { to: root, dryRun, checks } = options;
  const collections: CollectionResult[] = [];
  const unsettled: KeptDocuments[] = [];
  const settleAll = async (): Promise<void> => settle(root, unsettled.splice(0));
  const missing = databases.flatMap((database) => database.missing);
  let done = 0;
  const onProgress = (documents: number): void =>
    world.events.progress({
      stage: "exporting",
      doneFiles: done + documents,
      totalFiles: undefined,
      doneBytes: 0,
      totalBytes: undefined,
      rate: undefined,
      etaSeconds: undefined,
    });
  const mark = new RunMark(root);
  const beforeChange = (): void => mark.set();
  const onOpened = (kept: KeptDocuments): void => void unsettled.push(kept);
  try {
    for (const { server, collections: planned } of databases) {
      const session = snapshotSession(server);
      const shared = { root, dryRun, checks, session, beforeChange, onOpened, onProgress };
      for (const each of planned) {
        world.signal.throwIfAborted();
        try {
          const result = await exportCollection(each, shared, world);
          collections.push(result);
          done += result.documents;
        } catch (error) {
          if (!(error instanceof Failure && error.outcome === "partial")) throw error;
          const { database, listed } = each;
          missing.push({ database, collection: listed.name, reason: error.message });
        }
        if (unsettled.reduce((sum, kept) => sum + kept.documents, 0) > mostUnsettled)
          await settleAll();
      }
      await session?.endSession().catch(() => {});
    }
  } finally {
    await settleAll();
  }
  for (const { database, collection, reason } of missing)
    world.events.warn(`${database}.${collection} is not in the export: ${reason}`);
  const dropped = await removeDropped(
    databases,
    { root, dryRun, beforeChange },
    options.uris,
    world,
  );
  if (!dryRun) {
    const kept = new Set(
      missing.map((each) => `${directoryName(each.database)}/${directoryName(each.collection)}`),
    );
    clearStaging(root, (database, collection) => kept.has(`${database}/${collection}`));
    mark.clear();
  }
  return {
    outcome: firstOutcome(missing.map(() => "partial")),
    dryRun,
    collections,
    missing,
    excluded: databases.reduce((sum, { excluded }) => sum + excluded, 0),
    dropped,
  };
}
