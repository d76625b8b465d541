import { writeFile } from "node:fs/promises";
import path from "node:path";
import {
  companion,
  copyDirectory,
  endWith,
  expectSuccess,
  giveToServer,
  launch,
  serverDirectory,
  template,
  type DatabaseServer,
  type Launched,
} from "./database.ts";
import type { Scope } from "./s3server.ts";

/** A MariaDB or MySQL server for a test. */
export interface MysqlServer extends DatabaseServer {
  readonly kind: "mariadb" | "mysql";
  /** The path of its Unix socket. */
  readonly socket: string;
  readonly user: "root";
  /** Must never be seen in an argument, a message or a log. */
  readonly password: string;
  /** An option file, mode 0600, that has all a client needs, the password too: for --defaults-file. */
  readonly defaultsFile: string;
  /** Where its tables are. */
  readonly dataDirectory: string;
  /** A directory with its clients (mariadb, mariadb-dump, mariadb-backup; mysql, mysqldump), fit for PATH. */
  readonly bin: string;
  /** The path of its client, and of its dump program. */
  readonly client: string;
  readonly dumper: string;
  /**
   * Runs statements, and gives what they answer: a line per row, columns separated by tabs, nothing escaped.
   * Throws where one fails.
   */
  readonly sql: (statements: string, database?: string) => Promise<string>;
}

export interface MysqlOptions {
  /** Starts on these files instead of new ones, such as restored ones; they are given to the server's user. */
  readonly dataDirectory?: string;
  /** More options of the server, such as "--log-bin=binlog". */
  readonly options?: readonly string[];
}

/** The administrator's, in all of them. */
const rootPassword = "Never-show-this-4711";

interface Kind {
  readonly kind: MysqlServer["kind"];
  readonly server: string;
  readonly client: string;
  readonly dumper: string;
  /**
   * Makes the files of a server whose administrator has the password, by the statements in the file; there is
   * room for more beside both.
   */
  readonly fill: (dataDirectory: string, statements: string) => Promise<void>;
  /** Those of the server that are always given. */
  readonly options: readonly string[];
}

// One line each, as the servers want them in such a file.
const accounts = `flush privileges;
alter user root@localhost identified by '${rootPassword}';
create user root@'127.0.0.1' identified by '${rootPassword}';
grant all on *.* to root@'127.0.0.1' with grant option;
`;

/** Starts a server of either kind until the scope ends. */
export async function startMysqlServer(
  scope: Scope,
  kind: Kind,
  { dataDirectory: given, options = [] }: MysqlOptions = {},
): Promise<MysqlServer> {
  const directory = await serverDirectory(kind.kind);
  const stops: (() => Promise<void>)[] = [];
  endWith(scope, directory, stops);
  const dataDirectory = given ?? path.join(directory, "data");
  if (given === undefined) await copyDirectory(await newData(kind), dataDirectory);
  else await giveToServer(given);
  const socket = path.join(directory, "socket");
  const { port, pid, end } = await launchOn(kind, dataDirectory, directory, options);
  stops.push(async () => end("SIGKILL"));
  const defaultsFile = path.join(directory, "client.cnf");
  const settings = { host: "localhost", port, socket, user: "root", password: rootPassword };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(defaultsFile, `[client]\n${lines.join("")}`, { mode: 0o600 });
  const client = companion(kind.server, kind.client);
  const sql = async (statements: string, database?: string): Promise<string> => {
    const named = database === undefined ? [] : [`--database=${database}`];
    const args = [`--defaults-file=${defaultsFile}`, "--protocol=socket", "--batch", "--raw"];
    const more = ["--skip-column-names", "--default-character-set=utf8mb4", ...named];
    return (await expectSuccess(client, [...args, ...more], { input: statements })).stdout;
  };
  return {
    kind: kind.kind,
    version: (await sql("select version()")).trim(),
    port,
    pid,
    directory,
    socket,
    user: "root",
    password: rootPassword,
    defaultsFile,
    dataDirectory,
    bin: path.dirname(client),
    client,
    dumper: companion(kind.server, kind.dumper),
    sql,
    stop: async () => end("SIGTERM"),
    kill: async () => end("SIGKILL"),
  };
}

async function launchOn(
  kind: Kind,
  dataDirectory: string,
  directory: string,
  options: readonly string[],
): Promise<Launched> {
  return launch({
    file: kind.server,
    args: (port) => [
      "--no-defaults",
      ...kind.options,
      `--datadir=${dataDirectory}`,
      `--socket=${path.join(directory, "socket")}`,
      `--tmpdir=${directory}`,
      `--pid-file=${path.join(directory, "pid")}`,
      "--bind-address=127.0.0.1",
      `--port=${port}`,
      ...options,
    ],
    ready: /ready for connections/,
    orphaned: "KILL",
  });
}

/** The files of a new server, kept in the cache: one that was started once, since it writes then what it lacks. */
async function newData(kind: Kind): Promise<string> {
  const name = `data-${kind.kind}`;
  return template(name, kind.server, [accounts, ...kind.options], async (directory) => {
    const statements = path.join(directory, "accounts.sql");
    await writeFile(statements, accounts);
    const data = path.join(directory, "data");
    await kind.fill(data, statements);
    const { end } = await launchOn(kind, data, directory, []);
    await end("SIGTERM");
  });
}
