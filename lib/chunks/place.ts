import { readdir } from "node:fs/promises";
import path from "node:path";
import { failed, refused, systemCode } from "../errors.ts";
import { parseChunkName } from "./names.ts";

/** Where the parts of a set are: its files in the directory itself, all else in a hidden directory. */
export interface SetPlace {
  readonly directory: string;
  readonly state: string;
  readonly manifest: string;
  readonly journal: string;
  readonly staged: string;
  readonly lock: string;
}

const stateName = ".split";

export function setPlace(directory: string): SetPlace {
  const state = path.join(directory, stateName);
  return {
    directory,
    state,
    manifest: path.join(state, "manifest"),
    journal: path.join(state, "journal"),
    staged: path.join(state, "staged"),
    lock: path.join(state, "lock"),
  };
}

/**
 * The names of the set's files, in their order; undefined where there is no directory. Throws refused()
 * where something lies there that is none of ours, or a symbolic link, which would lead out of it; failed()
 * where the directory can't be read.
 */
export async function listSet({ directory, state }: SetPlace): Promise<string[] | undefined> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unlisted(directory, error);
  });
  if (entries === undefined) return undefined;
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name === stateName && entry.isDirectory()) {
      await expectNoLinks(directory, state);
      continue;
    }
    if (!entry.isFile() || parseChunkName(entry.name) === undefined)
      throw foreign(directory, entry.name);
    names.push(entry.name);
  }
  return names.toSorted();
}

async function expectNoLinks(directory: string, state: string): Promise<void> {
  const entries = await readdir(state, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      throw unlisted(state, error);
    },
  );
  const link = entries.find((entry) => entry.isSymbolicLink());
  if (link === undefined) return;
  const file = path.relative(directory, path.join(link.parentPath, link.name));
  throw foreign(directory, `${file}, a symbolic link`);
}

function unlisted(directory: string, cause: unknown): Error {
  return failed(`cannot read the directory ${directory} (${systemCode(cause) ?? String(cause)})`, {
    cause,
  });
}

/** Says that a directory holds something that no run has put there. */
export function foreign(directory: string, name: string): Error {
  return refused(`expected only files of a split dump in ${directory}, found ${name}`, {
    hint: "give the dump a directory of its own, or move away what is not part of it",
  });
}
