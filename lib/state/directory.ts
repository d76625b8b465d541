import { lstat, mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode, usage } from "../errors.ts";

/**
 * Where locks, manifests and results live: `$RCLONE_BACKUPS_STATE`, else /var/lib/rclone-backups for
 * root, else below `$XDG_STATE_HOME`, else below ~/.local/state. Throws usage() for a relative path.
 */
export function stateRoot(
  env: Readonly<Record<string, string | undefined>>,
  isRoot: boolean,
  home: string,
): string {
  const own = env["RCLONE_BACKUPS_STATE"];
  if (own) {
    if (path.isAbsolute(own)) return path.normalize(own);
    throw usage(`RCLONE_BACKUPS_STATE: expected an absolute path, found ${own}`);
  }
  if (isRoot) return "/var/lib/rclone-backups";
  const xdg = env["XDG_STATE_HOME"];
  // A relative one is to be ignored, says the XDG specification.
  const base = xdg && path.isAbsolute(xdg) ? xdg : path.join(home, ".local/state");
  return path.join(base, "rclone-backups");
}

/**
 * Makes a directory that only we can enter, with its parents, or accepts one that is there and that
 * not everybody can write to. Throws failed() where that is impossible.
 */
export async function privateDirectory(directory: string): Promise<void> {
  const hint = "set RCLONE_BACKUPS_STATE to a directory of your own";
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "EEXIST" || code === "ENOTDIR") {
      throw failed(`expected a directory at ${directory}, found a file on the way`, {
        hint,
        cause,
      });
    }
    throw failed(`cannot make the directory ${directory} (${code ?? "unknown error"})`, {
      hint,
      cause,
    });
  }
  const own = process.geteuid?.();
  const entry = await lstat(directory);
  if (entry.isSymbolicLink() && own !== undefined && entry.uid !== own && entry.uid !== 0) {
    throw failed(`${directory} is a symbolic link of another user (uid ${entry.uid})`, { hint });
  }
  const target = await stat(directory);
  if ((target.mode & 0o002) !== 0) {
    throw failed(
      `expected a private directory at ${directory}, found that everybody can write to it`,
      {
        hint: `chmod o-w it if it is yours, or ${hint}`,
      },
    );
  }
}
