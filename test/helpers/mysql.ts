import { existsSync } from "node:fs";
import path from "node:path";
import { runAsServer, serverProgram } from "./database.ts";
import { startMysqlServer, type MysqlOptions, type MysqlServer } from "./mysqlserver.ts";
import type { Scope } from "./s3server.ts";

/** Starts MySQL (not MariaDB) on this machine until the scope ends; its administrator has a password. */
export async function startMysql(scope: Scope, more: MysqlOptions = {}): Promise<MysqlServer> {
  const server = serverProgram({
    name: "mysqld",
    variable: "RCLONE_BACKUPS_TEST_MYSQL",
    candidates: ["mysqld", "/usr/sbin/mysqld"],
    companions: ["mysql", "mysqldump"],
    not: /MariaDB/,
  });
  const base = path.resolve(path.dirname(server), "..");
  const folders = {
    "lc-messages-dir": path.join(base, "share/mysql"),
    "character-sets-dir": path.join(base, "share/mysql/charsets"),
    "plugin-dir": path.join(base, "lib/mysql/plugin"),
  };
  const options = [
    `--basedir=${base}`,
    ...Object.entries(folders).flatMap(([name, folder]) =>
      existsSync(folder) ? [`--${name}=${folder}`] : [],
    ),
    // Small files make a start cheap; nothing here has to survive a power failure.
    "--innodb-redo-log-capacity=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--disable-log-bin",
    "--skip-name-resolve",
    "--mysqlx=OFF",
    "--secure-file-priv=",
  ];
  const fill = async (data: string, statements: string): Promise<void> => {
    await runAsServer(server, [
      "--no-defaults",
      ...options,
      `--datadir=${data}`,
      "--initialize-insecure",
      `--init-file=${statements}`,
    ]);
  };
  return startMysqlServer(
    scope,
    { kind: "mysql", server, client: "mysql", dumper: "mysqldump", options, fill },
    more,
  );
}
