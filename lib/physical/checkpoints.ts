import { open, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";

/** What mariadb-backup leaves about a backup. */
export interface Checkpoints {
  /** Such as full-backuped, incremental, full-prepared. */
  readonly type: string;
  readonly fromLsn: string;
  readonly toLsn: string;
}

/** It was renamed in MariaDB 11.1. */
const names = ["mariadb_backup_checkpoints", "xtrabackup_checkpoints"];

/** Throws failed where there is none, or one that makes no sense. */
export async function readCheckpoints(directory: string): Promise<Checkpoints> {
  for (const name of names) {
    const file = path.join(directory, name);
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const field = (key: string): string | undefined =>
      new RegExp(`^${key} *= *(\\S+) *$`, "m").exec(text)?.[1];
    const [type, fromLsn, toLsn] = ["backup_type", "from_lsn", "to_lsn"].map(field);
    if (type !== undefined && /^\d+$/.test(fromLsn ?? "") && /^\d+$/.test(toLsn ?? ""))
      return { type, fromLsn: fromLsn ?? "", toLsn: toLsn ?? "" };
    throw failed(`${file}: expected backup_type, from_lsn and to_lsn, found another text`);
  }
  throw failed(`expected a file ${names.join(" or ")} in ${directory}, found none`);
}

/**
 * What tells a server's data from those of another one: the id in the control file of Aria, which it gets
 * when its data directory is made; and the number of a file there that it never replaces, for data that
 * were restored have the same id, and log sequence numbers that come for the second time.
 */
export async function serverId(backup: string, data: string | undefined): Promise<string> {
  const file =
    data === undefined ? undefined : await stat(path.join(data, "ibdata1")).catch(() => undefined);
  return `${await ariaId(backup)}:${file?.ino ?? ""}`;
}

async function ariaId(directory: string): Promise<string> {
  try {
    const handle = await open(path.join(directory, "aria_log_control"), "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
      // Three bytes of magic, one of version, then a UUID (storage/maria/ma_control_file.c).
      return bytesRead === 20 && buffer.toString("latin1", 0, 3) === "\xfe\xfe\x0c"
        ? buffer.toString("hex", 4)
        : "";
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
