import { accessSync, constants } from "node:fs";
import { firstOutcome, refused, usage, type Outcome } from "../errors.ts";
import { isExport } from "../documents/held.ts";
import type { Listed } from "../documents/metadata.ts";
import { lockFile } from "../documents/place.ts";
import { matchesName } from "../documents/rules.ts";
import { collectionsOf, connect, type Server } from "../documents/server.ts";
import { storedCollections, type StoredCollection } from "../documents/stored.ts";
import type { MongoUri } from "../documents/uri.ts";
import { acquireLock, type Lock } from "../state/lock.ts";
import { compareExisting, type Existing } from "./mongo/existing.ts";
import { importCollection, type ImportedCollection } from "./mongo/importing.ts";
import type { Target } from "./mongo/target.ts";
import type { MongoWorld } from "./mongo/world.ts";

export interface MongoImportOptions {
  readonly uri: MongoUri;
  /** The directory of the export. */
  readonly from: string;
  /** Names of databases; all for none. */
  readonly databases: readonly string[];
  /** Globs of DATABASE.COLLECTION. */
  readonly exclude: readonly string[];
  /** Another name for the one database that is imported. */
  readonly as: string | undefined;
  readonly dryRun: boolean;
  /** Whether what an export left in the middle is taken as it is. */
  readonly allowUnfinished: boolean;
}

export interface MongoImportResult {
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly collections: readonly ImportedCollection[];
}

/**
 * Makes databases of an export: into an empty server, or one that holds nothing else in these collections
 * than the export does. All is compared before anything is written. What was written is read back. Throws usage, failed,
 * refused, skipped or interrupted.
 */
export async function importMongo(
  options: MongoImportOptions,
  world: MongoWorld,
): Promise<MongoImportResult> {
  const { from, dryRun, exclude, allowUnfinished } = options;
  const lock = await lockExport(from, world);
  let server: Server | undefined;
  try {
    const stored = storedCollections(from, {
      allowUnfinished,
      isExcluded: (database, collection) =>
        exclude.some((pattern) => matchesName(pattern, database, collection)),
      onLeftover: (directory) =>
        world.events.warn(`${directory} holds no collection: it is passed over`),
    });
    const chosen = choose(stored, options);
    server = await connect(options.uri);
    const targets = await findTargets(chosen, server, options.as);
    const existing = new Map<Target, Existing>();
    for (const target of targets) existing.set(target, await compareExisting(target, world));
    const collections: ImportedCollection[] = [];
    let done = 0;
    const onProgress = (documents: number): void =>
      world.events.progress({
        stage: "importing",
        doneFiles: done + documents,
        totalFiles: undefined,
        doneBytes: 0,
        totalBytes: undefined,
        rate: undefined,
        etaSeconds: undefined,
      });
    // Views last: what they show must be there.
    for (const target of targets.toSorted((a, b) => rank(a) - rank(b))) {
      world.signal.throwIfAborted();
      const found = existing.get(target);
      if (found === undefined) continue;
      const result = await importCollection(target, found, { dryRun, onProgress }, world);
      collections.push(result);
      done += result.documents;
    }
    const outcome = firstOutcome(collections.map((each) => each.outcome));
    return { outcome, dryRun, collections };
  } finally {
    await server?.close().catch(() => {});
    await lock?.release();
  }
}

/** Keeps an export from changing it; a copy without the exporter's own files, or one that can't be written to, needs none. */
async function lockExport(from: string, world: MongoWorld): Promise<Lock | undefined> {
  if (!isExport(from)) return undefined;
  const file = lockFile(from);
  try {
    accessSync(file, constants.W_OK);
  } catch {
    return undefined;
  }
  return acquireLock(file, {
    mode: "shared",
    command: "mongo-import",
    signal: world.signal,
    now: world.now,
  });
}

function rank({ stored }: Target): number {
  return stored.metadata.kind === "view" ? 1 : 0;
}

function choose(
  stored: readonly StoredCollection[],
  { uri, databases, exclude, as, from }: MongoImportOptions,
): readonly StoredCollection[] {
  const wanted = [...databases, ...(uri.database === undefined ? [] : [uri.database])];
  const there = new Set(stored.map(({ metadata }) => metadata.database));
  for (const name of wanted)
    if (!there.has(name))
      throw usage(`expected the database ${name} in ${from}, found ${[...there].join(", ")}`);
  const chosen = stored.filter(
    ({ metadata: { database, collection } }) =>
      (wanted.length === 0 || wanted.includes(database)) &&
      !exclude.some((pattern) => matchesName(pattern, database, collection)),
  );
  const count = new Set(chosen.map(({ metadata }) => metadata.database)).size;
  if (as !== undefined && count !== 1)
    throw usage(`--as: expected one database, found ${count}`, {
      hint: "--database NAME says which",
    });
  return chosen;
}

async function findTargets(
  chosen: readonly StoredCollection[],
  server: Server,
  as: string | undefined,
): Promise<readonly Target[]> {
  const listed = new Map<string, ReadonlyMap<string, Listed>>();
  const targets: Target[] = [];
  for (const stored of chosen) {
    const database = as ?? stored.metadata.database;
    let collections = listed.get(database);
    if (collections === undefined) {
      const entries = await collectionsOf(server, database);
      collections = new Map(entries.map((each) => [each.name, each]));
      listed.set(database, collections);
    }
    const found = collections.get(stored.metadata.collection);
    if (found !== undefined && found.type !== stored.metadata.kind)
      throw refused(
        `${database}.${found.name}: expected nothing or a ${stored.metadata.kind}, found a ${found.type}`,
        { hint: "import into another database with --as, or remove it first" },
      );
    targets.push({ stored, server, database, listed: found });
  }
  return targets;
}
