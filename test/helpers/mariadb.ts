import { symlink } from "node:fs/promises";
import path from "node:path";
import { companion, runAsServer, serverProgram } from "./database.ts";
import { startMysqlServer, type MysqlOptions, type MysqlServer } from "./mysqlserver.ts";
import type { Scope } from "./s3server.ts";

/** The paths of the server and of mariadb-backup; throws where they are missing. */
export function mariadbPrograms(): { readonly server: string; readonly backup: string } {
  const server = serverProgram({
    name: "mariadbd",
    variable: "RCLONE_BACKUPS_TEST_MARIADB",
    candidates: ["mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd"],
    companions: ["mariadb", "mariadb-dump", "mariadb-backup", "mariadb-install-db"],
  });
  return { server, backup: companion(server, "mariadb-backup") };
}

/** Starts MariaDB on this machine until the scope ends; its administrator has a password. */
export async function startMariadb(scope: Scope, more: MysqlOptions = {}): Promise<MysqlServer> {
  const { server } = mariadbPrograms();
  // Small files make a start cheap; nothing here has to survive a power failure.
  const base = path.resolve(path.dirname(server), "..");
  const options = [
    `--basedir=${base}`,
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
  ];
  const fill = async (data: string, statements: string): Promise<void> => {
    // It stumbles over spaces in names.
    const link = path.join(path.dirname(data), "base");
    await symlink(base, link);
    await runAsServer(companion(server, "mariadb-install-db"), [
      "--no-defaults",
      ...options,
      `--basedir=${link}`,
      `--datadir=${data}`,
      "--auth-root-authentication-method=socket",
      "--auth-root-socket-user=root",
      "--skip-test-db",
      `--extra-file=${statements}`,
    ]);
  };
  return startMysqlServer(
    scope,
    { kind: "mariadb", server, client: "mariadb", dumper: "mariadb-dump", options, fill },
    more,
  );
}
