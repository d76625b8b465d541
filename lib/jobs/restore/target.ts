import { constants } from "node:fs";
import { access, mkdir, realpath, stat, statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { failed, systemCode, usage } from "../../errors.ts";
import { parseLocation, redactLocation, safeLocation } from "../../rclone/location.ts";
import { overlap } from "../../rclone/resolve.ts";
import { formatBytes } from "../../units/format.ts";
import type { Session } from "../session.ts";

/** Where a restore writes. */
export type RestoreTarget =
  | {
      readonly kind: "local";
      /** Absolute, and without links once it exists. */
      readonly root: string;
      readonly exists: boolean;
    }
  | {
      readonly kind: "remote";
      /** As rclone is given it. */
      readonly location: string;
      readonly env: Readonly<Record<string, string>>;
      /** For messages: without secrets. */
      readonly shown: string;
    };

/**
 * Finds out where a restore writes. Throws usage() where that is the backup itself, and failed() where it
 * is no directory.
 */
export async function openTarget(session: Session, text: string): Promise<RestoreTarget> {
  const place = await session.resolveElsewhere(text, session.backup.rclone.config);
  if (overlap(place, session.destinationPlace) !== "none")
    throw usage(
      `--to: expected a place apart from the backup, found ${redactLocation(text)}, which overlaps with the destination`,
      { hint: "restore elsewhere, and copy from there what you need" },
    );
  const location = parseLocation(text);
  if (location.kind === "remote") {
    const safe = safeLocation(text, "restore_target");
    return { kind: "remote", location: safe.argument, env: safe.env, shown: redactLocation(text) };
  }
  const root = resolve(session.world.cwd, location.path);
  try {
    if ((await stat(root)).isDirectory())
      return { kind: "local", root: await realpath(root), exists: true };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { kind: "local", root, exists: false };
    throw failed(`--to: expected a directory, found that ${root} can't be looked at`, {
      cause: error,
    });
  }
  throw failed(`--to: expected a directory, found a file at ${root}`);
}

/** Makes the directory if need be, and returns it without links. Throws failed() where it can't be written to. */
export async function makeRoot(root: string): Promise<string> {
  try {
    await mkdir(root, { recursive: true });
    await access(root, constants.W_OK | constants.X_OK);
    return await realpath(root);
  } catch (cause) {
    throw failed(
      `--to: expected a directory that can be written to, found ${root} (${systemCode(cause) ?? "unknown error"})`,
      { cause },
    );
  }
}

/** Warns where what is to be written is more than the disk has room for. */
export async function warnOfSpace(session: Session, root: string, bytes: number): Promise<void> {
  const disk = await statfs(root).catch(() => undefined);
  if (disk === undefined) return;
  const free = disk.bavail * disk.bsize;
  if (bytes > free)
    session.world.events.warn(
      `${root}: ${formatBytes(bytes)} are to be written, and ${formatBytes(free)} are free`,
    );
}
