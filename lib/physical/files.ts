import { lstatSync, readdirSync } from "node:fs";
import { chmod, lchown, lstat, open } from "node:fs/promises";
import path from "node:path";
import { failed } from "../errors.ts";
import { syncDirectory } from "../state/atomic.ts";

/** A file below a directory: its path from there, and its bytes. */
export type FileSize = readonly [path: string, bytes: number];

interface Tree {
  /** Sorted by path. */
  readonly files: readonly FileSize[];
  /** Paths from the root, each after the one that it is in; without the root. */
  readonly directories: readonly string[];
  /** Paths of what is neither. */
  readonly others: readonly string[];
}

/**
 * What is in a tree. It is synchronous, since a night looks at hundreds of thousands of files.
 * Throws what the system says.
 */
export function readTree(root: string): Tree {
  const files: FileSize[] = [];
  const directories: string[] = [];
  const others: string[] = [];
  const walk = (directory: string): void => {
    for (const entry of readdirSync(path.join(root, directory), { withFileTypes: true })) {
      const name = path.join(directory, entry.name);
      if (entry.isDirectory()) {
        directories.push(name);
        walk(name);
      } else if (entry.isFile()) files.push([name, lstatSync(path.join(root, name)).size]);
      else others.push(name);
    }
  };
  walk("");
  return { files: files.toSorted(([a], [b]) => (a < b ? -1 : 1)), directories, others };
}

interface Seal {
  /** Where the owner is to be another one than the one who made it. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes a tree private (files 0600, directories 0700) and brings it to the disk. Returns its files.
 * Throws failed where something in it is neither file nor directory.
 */
export async function sealTree(
  root: string,
  { owner, signal }: Seal,
): Promise<readonly FileSize[]> {
  const { files, directories, others } = readTree(root);
  const [other] = others;
  if (other !== undefined)
    throw failed(`expected files and directories in ${root}, found something else: ${other}`);
  const settle = async (place: string, mode: number): Promise<void> => {
    const now = await lstat(place);
    if (owner !== undefined && (now.uid !== owner.uid || now.gid !== owner.gid))
      await lchown(place, owner.uid, owner.gid);
    if ((now.mode & 0o7777) !== mode) await chmod(place, mode);
  };
  for (const [name] of files) {
    signal.throwIfAborted();
    const file = path.join(root, name);
    await settle(file, 0o600);
    const handle = await open(file, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  for (const directory of ["", ...directories].toReversed()) {
    await settle(path.join(root, directory), 0o700);
    await syncDirectory(path.join(root, directory));
  }
  return files;
}
