import { mkdir } from "node:fs/promises";
import path from "node:path";
import { endWith, giveToServer, launch, serverDirectory, serverProgram } from "./database.ts";
import { startPostgres } from "./postgres.ts";
import type { Scope } from "./s3server.ts";

/** A server that speaks MongoDB's protocol, for a test. */
export interface MongoServer {
  /**
   * "ferretdb" on DocumentDB; "mongod" where RCLONE_BACKUPS_TEST_MONGOD names one or one is on the PATH;
   * "given" where RCLONE_BACKUPS_TEST_MONGODB_URI names a running one.
   */
  readonly kind: "ferretdb" | "mongod" | "given";
  /**
   * With user and password for ferretdb: it checks them where they are given, and asks for none. A test with
   * a given server has to keep to databases of its own.
   */
  readonly uri: string;
  /** Must never be seen in an argument, a message or a log; undefined where there is none. */
  readonly password: string | undefined;
  /** Ends the server at once, as a power failure would; a given one stays. */
  readonly kill: () => Promise<void>;
}

/** Starts a server for MongoDB's protocol on this machine until the scope ends. */
export async function startMongo(scope: Scope): Promise<MongoServer> {
  const given = process.env["RCLONE_BACKUPS_TEST_MONGODB_URI"];
  if (given) return { kind: "given", uri: given, password: undefined, kill: async () => {} };
  const mongod = findMongod();
  return mongod === undefined ? startFerretdb(scope) : startMongod(scope, mongod);
}

function findMongod(): string | undefined {
  const variable = "RCLONE_BACKUPS_TEST_MONGOD";
  try {
    return serverProgram({ name: "mongod", variable, candidates: ["mongod"], companions: [] });
  } catch (error) {
    if (process.env[variable]) throw error;
    return undefined;
  }
}

async function startMongod(scope: Scope, file: string): Promise<MongoServer> {
  const directory = await serverDirectory("mongod");
  const stops: (() => Promise<void>)[] = [];
  endWith(scope, directory, stops);
  const data = path.join(directory, "data");
  await mkdir(data);
  await giveToServer(data);
  const { port, end } = await launch({
    file,
    args: (free) => [
      ...["--dbpath", data, "--bind_ip", "127.0.0.1", "--port", String(free)],
      ...["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"],
    ],
    ready: /Waiting for connections/,
    orphaned: "KILL",
  });
  const kill = async (): Promise<void> => end("SIGKILL");
  stops.push(kill);
  return { kind: "mongod", uri: `mongodb://127.0.0.1:${port}/`, password: undefined, kill };
}

const documentdb = [
  "shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb",
  "cron.database_name=postgres",
  "cron.use_background_workers=on",
  "max_worker_processes=16",
];

async function startFerretdb(scope: Scope): Promise<MongoServer> {
  const variable = "RCLONE_BACKUPS_TEST_FERRETDB";
  const file = serverProgram({ name: "ferretdb", variable, candidates: [], companions: [] });
  // Backwards: first FerretDB, then what it stands on.
  const ends: (() => unknown)[] = [];
  scope.after(async () => {
    for (const action of ends.toReversed()) await action();
  });
  const inner: Scope = { after: (action) => void ends.push(action) };
  const postgres = await startPostgres(inner, "new", {
    settings: documentdb,
    prepared: "create extension documentdb cascade;",
  });
  const directory = await serverDirectory("ferretdb");
  const stops: (() => Promise<void>)[] = [];
  endWith(inner, directory, stops);
  const { user, password } = postgres;
  const { port, end } = await launch({
    file,
    args: (free) => [`127.0.0.1:${free}`, directory],
    env: {
      FERRETDB_POSTGRESQL_URL: `postgres://${user}:${password}@127.0.0.1:${postgres.port}/postgres`,
    },
    ready: /^mongodb:/m,
    orphaned: "KILL",
  });
  stops.push(async () => end("SIGKILL"));
  return {
    kind: "ferretdb",
    uri: `mongodb://${user}:${password}@127.0.0.1:${port}/`,
    password,
    kill: async () => {
      await end("SIGKILL");
      await postgres.kill();
    },
  };
}
