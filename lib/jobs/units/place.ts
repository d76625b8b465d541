import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { failed, systemCode, usage } from "../../errors.ts";
import type { ServiceFile } from "../../service/options.ts";
import { sealOf } from "../../service/seal.ts";
import { writeAtomically } from "../../state/atomic.ts";

/** A file and what writing it does to what stands there. */
export interface PlacedFile extends ServiceFile {
  readonly change: "new" | "same" | "replaced";
}

/**
 * Looks what stands at the places of the files.
 * Throws a usage failure for one that we didn't write, or that was edited since, unless `force`.
 */
export async function compareFiles(
  files: readonly ServiceFile[],
  force: boolean,
): Promise<PlacedFile[]> {
  return Promise.all(files.map(async (file) => compare(file, force)));
}

async function compare(file: ServiceFile, force: boolean): Promise<PlacedFile> {
  const text = await readIfThere(file.path);
  if (text === undefined) return { ...file, change: "new" };
  if (text === file.text) return { ...file, change: "same" };
  const seal = sealOf(text);
  if (seal === "whole" || force) return { ...file, change: "replaced" };
  throw usage(
    seal === "edited"
      ? `${file.path}: expected the file as units wrote it, found it edited`
      : `${file.path}: expected no file, or one that units wrote, found another`,
    { hint: "move it away, or replace it with --force" },
  );
}

/** Those of the paths where a file stands that we wrote, edited or not. */
export async function ownFiles(paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map(readIfThere));
  return paths.filter((_, index) => {
    const text = texts[index];
    return text !== undefined && sealOf(text) !== "none";
  });
}

/**
 * Writes what isn't there yet, each file whole. With `mayMakeDirectories`, directories are made too.
 * Throws failed() where it can't, and a usage failure where a directory is missing.
 */
export async function writeFiles(
  files: readonly PlacedFile[],
  mayMakeDirectories: boolean,
): Promise<void> {
  for (const { path } of files) await haveDirectory(dirname(path), mayMakeDirectories);
  for (const { path, mode, text, change } of files) {
    if (change === "same") await chmod(path, mode);
    else await writeAtomically(path, text, mode);
  }
}

async function haveDirectory(directory: string, mayMake: boolean): Promise<void> {
  const there = await stat(directory).catch(() => undefined);
  if (there?.isDirectory() === true) return;
  if (!mayMake)
    throw usage(`expected the directory ${directory}, found none: is what reads it installed?`, {
      hint: "--to DIRECTORY writes the files somewhere else",
    });
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw failed(`cannot make the directory ${directory} (${systemCode(cause) ?? "unknown"})`, {
      cause,
    });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw failed(`cannot read ${path} (${systemCode(cause) ?? "unknown error"})`, { cause });
  }
}
