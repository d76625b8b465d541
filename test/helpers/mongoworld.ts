import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { BSON, MongoClient, type Db } from "mongodb";
import { rawBytes } from "../../lib/documents/server.ts";
import { readUri } from "../../lib/documents/uri.ts";
import {
  exportMongo,
  type MongoExportOptions,
  type MongoExportResult,
} from "../../lib/jobs/mongoexport.ts";
import {
  importMongo,
  type MongoImportOptions,
  type MongoImportResult,
} from "../../lib/jobs/mongoimport.ts";
import { projectRoot, run, start, type Live, type Result, type RunOptions } from "./command.ts";
import type { MongoServer } from "./ferretdb.ts";
import { startProxy, type MongoProxy } from "./mongoproxy.ts";

/** A database of one test, and a directory that it is exported to. */
export interface MongoWorld {
  readonly proxy: MongoProxy;
  readonly client: MongoClient;
  /** A database for this test alone. */
  readonly db: Db;
  /** Another one, to import into. */
  readonly copy: string;
  readonly root: string;
  /** The export's directory; not made yet. */
  readonly to: string;
  /** With the database in it. */
  readonly uri: string;
  readonly uriFile: string;
  /** Warnings so far. */
  readonly warnings: string[];
  export: (options?: Partial<MongoExportOptions>) => Promise<MongoExportResult>;
  import: (options?: Partial<MongoImportOptions>) => Promise<MongoImportResult>;
  /** Runs mongo-export or mongo-import as it is installed. */
  command: (name: string, args: readonly string[], options?: RunOptions) => Promise<Result>;
  start: (name: string, args: readonly string[], options?: RunOptions) => Live;
  /** Files below the directory, the exporter's own aside, with their contents' hash, inode and time. */
  files: () => Map<string, string>;
  /** Names of files of documents that are there. */
  names: () => readonly string[];
}

let serial = 0;

function script(name: string): string {
  return path.join(projectRoot, `dist/exporters/${name}.js`);
}

export async function makeMongoWorld(t: TestContext, server: MongoServer): Promise<MongoWorld> {
  const ends: (() => unknown)[] = [];
  const proxy = await startProxy({ after: (end) => void ends.push(end) }, server.uri);
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-mongo-"));
  const base = server.uri.replace(/[\w.]+:\d+\/?$/, `${proxy.host}/`);
  const name = `rb_test_${process.pid}_${serial++}`;
  const copy = `${name}_copy`;
  const uri = `${base}${name}${server.password === undefined ? "" : "?authSource=admin"}`;
  const client = new MongoClient(base);
  t.after(async () => {
    proxy.failing.clear();
    for (const each of [name, copy])
      await client
        .db(each)
        .dropDatabase()
        .catch(() => {});
    await client.close();
    for (const end of ends) await end();
    await rm(root, { recursive: true, force: true });
  });
  const to = path.join(root, "export");
  const uriFile = path.join(root, "uri");
  await writeFile(uriFile, `# the server\n${uri}\n`, { mode: 0o600 });
  const warnings: string[] = [];
  const world = {
    env: {},
    now: () => new Date(),
    signal: new AbortController().signal,
    events: {
      warn: (text: string) => void warnings.push(text),
      detail: () => {},
      progress: () => {},
    },
  };
  const files = (): Map<string, string> => {
    const found = new Map<string, string>();
    for (const file of readdirSync(to, { recursive: true, encoding: "utf8" }).toSorted()) {
      const whole = path.join(to, file);
      const { ino, mtimeMs, mode } = statSync(whole);
      if (file.startsWith(".mongo-export") || !statSync(whole).isFile()) continue;
      const hash = createHash("sha256").update(readFileSync(whole)).digest("hex");
      found.set(file, `${hash} ${ino} ${mtimeMs} ${(mode & 0o777).toString(8)}`);
    }
    return found;
  };
  return {
    proxy,
    client,
    db: client.db(name),
    copy,
    root,
    to,
    uri,
    uriFile,
    warnings,
    export: async (options) =>
      exportMongo(
        {
          uris: [readUri(uri, "test")],
          to,
          exclude: [],
          config: undefined,
          dryRun: false,
          checks: "nothing",
          allowEmpty: false,
          replace: false,
          ...options,
        },
        world,
      ),
    import: async (options) =>
      importMongo(
        {
          uri: readUri(uri, "test"),
          from: to,
          databases: [],
          exclude: [],
          as: copy,
          dryRun: false,
          allowUnfinished: false,
          ...options,
        },
        world,
      ),
    command: async (each, args, options) => run(process.execPath, [script(each), ...args], options),
    start: (each, args, options) => start(process.execPath, [script(each), ...args], options),
    files,
    names: () => [...files().keys()].filter((file) => /\/[0-9a-f]{3}\/[^/]+\.bson$/.test(file)),
  };
}

/** The documents of a collection as they are, in the order of their bytes. */
export async function rawDocuments(db: Db, collection: string): Promise<readonly string[]> {
  const found: unknown[] = await db.collection(collection).find({}, { raw: true }).toArray();
  return found.map((each) => Buffer.from(rawBytes(each)).toString("hex")).toSorted();
}

/** Inserts documents with ids of any type. */
export async function insert(
  db: Db,
  collection: string,
  documents: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  await db
    .collection<Record<string, unknown>>(collection)
    .insertMany(documents.map((each) => ({ ...each })));
}

/** An id of every type that there is. */
export function everyId(): readonly unknown[] {
  const { ObjectId, Long, Double, Int32, Binary, UUID, Decimal128, Timestamp, MinKey, MaxKey } =
    BSON;
  return [
    new ObjectId(),
    "text",
    "a/b..c 😀",
    "Case",
    "case",
    "..",
    "x".repeat(900),
    new Int32(7),
    new Double(2.5),
    new Double(Number.NaN),
    Long.fromString("1099511627776"),
    new UUID(),
    new Binary(Buffer.from("bytes"), 0),
    new Binary(Buffer.alloc(300, 1), 128),
    { a: new Int32(1), "b.c": "x" },
    new Date(1_700_000_000_000),
    true,
    Decimal128.fromString("1.50"),
    new Timestamp({ t: 1, i: 2 }),
    new MinKey(),
    new MaxKey(),
    null,
  ];
}

/** Values that are lost or changed where documents are decoded. */
export function everyValue(): Readonly<Record<string, unknown>> {
  const { Code, BSONRegExp, Int32, Long, Double, Binary } = BSON;
  return {
    nested: [[1, [2, []]], [], {}],
    nan: new Double(Number.NaN),
    minusZero: new Double(-0),
    infinite: new Double(Number.POSITIVE_INFINITY),
    double: new Double(1),
    int: new Int32(1),
    long: Long.fromNumber(1),
    "dotted.key": 1,
    $dollar: 2,
    "": "empty",
    "2": "numbers",
    "1": "as keys",
    code: new Code("function () {}"),
    regex: new BSONRegExp("^a|b$", "im"),
    generic: new Binary(Buffer.from([0, 1, 2]), 0),
    before: new Date(-1),
    text: "ä😀\0z",
  };
}
