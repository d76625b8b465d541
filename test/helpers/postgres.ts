import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import {
  companion,
  copyDirectory,
  endWith,
  expectSuccess,
  launch,
  runAsServer,
  serverDirectory,
  serverProgram,
  template,
  type DatabaseServer,
  type Launched,
} from "./database.ts";
import type { Scope } from "./s3server.ts";

/** "old" is the distribution's PostgreSQL (15 or newer), "new" a current one (18 or newer). */
export type PostgresVersion = "old" | "new";

export const postgresVersions: readonly PostgresVersion[] = ["old", "new"];

/** A PostgreSQL server for a test. */
export interface PostgresServer extends DatabaseServer {
  /** The directory of its Unix socket, fit for PGHOST; the port is in the socket's name. */
  readonly socketDirectory: string;
  readonly user: "postgres";
  /** Must never be seen in an argument, a message or a log. It is asked for on the socket too. */
  readonly password: string;
  /** A password file, mode 0600, for PGPASSFILE. */
  readonly passwordFile: string;
  /** PGHOST (127.0.0.1), PGPORT, PGUSER and PGPASSFILE: all that a client needs. */
  readonly environment: Readonly<Record<string, string>>;
  /** A directory with its clients (psql, pg_dump, pg_dumpall), fit for PATH. */
  readonly bin: string;
  /**
   * Runs statements, and gives what they answer: a line per row, columns separated by tabs. Throws where one
   * fails. Default database: postgres.
   */
  readonly sql: (statements: string, database?: string) => Promise<string>;
}

export interface PostgresOptions {
  /** More settings, such as "wal_level=logical". */
  readonly settings?: readonly string[];
  /** Statements that the files of the new server were made with, once; kept in the cache. */
  readonly prepared?: string;
}

const password = "Never-show-this-4711";

/** Starts PostgreSQL on this machine until the scope ends. */
export async function startPostgres(
  scope: Scope,
  version: PostgresVersion,
  { settings = [], prepared = "" }: PostgresOptions = {},
): Promise<PostgresServer> {
  const server = findServer(version);
  const directory = await serverDirectory("postgres");
  const stops: (() => Promise<void>)[] = [];
  endWith(scope, directory, stops);
  const data = path.join(directory, "data");
  await copyDirectory(await newData(server, settings, prepared), data);
  const { port, pid, end } = await launchOn(server, data, directory, settings);
  // SIGKILL would leave a piece of shared memory behind.
  stops.push(async () => end("SIGQUIT"));
  const { environment, passwordFile, sql } = await client(server, directory, port);
  return {
    version: (await sql("show server_version")).trim(),
    port,
    pid,
    directory,
    socketDirectory: directory,
    user: "postgres",
    password,
    passwordFile,
    environment,
    bin: path.dirname(server),
    sql,
    stop: async () => end("SIGINT"),
    kill: async () => end("SIGQUIT"),
  };
}

function findServer(version: PostgresVersion): string {
  const companions = ["initdb", "psql", "pg_dump", "pg_dumpall"];
  if (version === "new") {
    // It has to have DocumentDB, so that one on the PATH is not asked.
    const variable = "RCLONE_BACKUPS_TEST_POSTGRES_NEW";
    return serverProgram({ name: "postgres-new", variable, candidates: [], companions });
  }
  const candidates = [
    "postgres",
    ...installed().map((file) => `/usr/lib/postgresql/${file}/bin/postgres`),
  ];
  const variable = "RCLONE_BACKUPS_TEST_POSTGRES_OLD";
  return serverProgram({ name: "postgres-old", variable, candidates, companions });
}

/** The versions that Debian's packages have put where the PATH doesn't look. */
function installed(): string[] {
  try {
    return readdirSync("/usr/lib/postgresql").toSorted();
  } catch {
    return [];
  }
}

async function client(
  server: string,
  directory: string,
  port: number,
): Promise<Pick<PostgresServer, "environment" | "passwordFile" | "sql">> {
  const passwordFile = passwordFileIn(directory);
  await writeFile(passwordFile, `*:${port}:*:postgres:${password}\n`, { mode: 0o600 });
  const environment = {
    PGHOST: "127.0.0.1",
    PGPORT: String(port),
    PGUSER: "postgres",
    PGPASSFILE: passwordFile,
  };
  const psql = companion(server, "psql");
  const args = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-w"];
  const sql = async (statements: string, database = "postgres"): Promise<string> => {
    const options = { env: environment, input: statements };
    return (await expectSuccess(psql, [...args, "-d", database, "-f", "-"], options)).stdout;
  };
  return { environment, passwordFile, sql };
}

function passwordFileIn(directory: string): string {
  return path.join(directory, "pgpass");
}

async function launchOn(
  server: string,
  data: string,
  directory: string,
  settings: readonly string[],
): Promise<Launched> {
  // Nothing here has to survive a power failure.
  const own = ["fsync=off", "jit=off", "shared_buffers=32MB", ...settings];
  return launch({
    file: server,
    args: (port) => [
      ...["-D", data, "-k", directory, "-h", "127.0.0.1", "-p", String(port)],
      ...own.flatMap((setting) => ["-c", setting]),
    ],
    // DocumentDB connects to the server that it runs in.
    env: { LC_ALL: "C", PGPASSFILE: passwordFileIn(directory) },
    ready: /database system is ready to accept connections/,
    orphaned: "QUIT",
  });
}

/** The files of a new server, kept in the cache. */
async function newData(
  server: string,
  settings: readonly string[],
  prepared: string,
): Promise<string> {
  const recipe = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--wal-segsize=1"];
  const own = prepared === "" ? [] : settings;
  const madeBy = [password, prepared, ...recipe, ...own];
  return template("data-postgres", server, madeBy, async (directory) => {
    const file = path.join(directory, "password");
    await writeFile(file, password, { mode: 0o600 });
    const data = path.join(directory, "data");
    const args = ["--no-sync", "--auth=scram-sha-256", `--pwfile=${file}`, ...recipe];
    await runAsServer(companion(server, "initdb"), [...args, `--pgdata=${data}`], { LC_ALL: "C" });
    if (prepared === "") return;
    const { port, end } = await launchOn(server, data, directory, own);
    try {
      await (await client(server, directory, port)).sql(prepared);
    } finally {
      await end("SIGINT");
    }
  });
}
