import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import type { OldChunk, OldSection } from "./assign.ts";
import type { HashBytes } from "./hash.ts";
import { parseManifest, type Manifest, type SetFile } from "./manifest.ts";
import { parseChunkName } from "./names.ts";
import { foreign, listSet, type SetPlace } from "./place.ts";

/** The files of an earlier dump. */
export interface ChunkSet {
  readonly place: SetPlace;
  /** Those that are there, in their order. */
  readonly files: readonly SetFile[];
  /** The manifest as it stands there; undefined where it is lost or damaged. */
  readonly manifest: string | undefined;
  /** The program that wrote the dump, as the manifest tells. */
  readonly program: string | undefined;
  /** Files that the manifest names and that are gone. */
  readonly missing: readonly string[];
}

/**
 * Reads what a directory holds. A lost manifest is made anew from the files, which are read for it.
 * Throws refused() where something lies there that is none of ours.
 */
export async function openSet(place: SetPlace, hash: HashBytes): Promise<ChunkSet> {
  const names = (await listSet(place)) ?? [];
  const { text, manifest } = await readManifest(place, hash);
  if (manifest === undefined) {
    const files: SetFile[] = [];
    for (const name of names) files.push(await hashedFile(place, name, hash));
    return { place, files, manifest: undefined, program: undefined, missing: [] };
  }
  const known = new Set(manifest.files.map(({ name }) => name));
  const stranger = names.find((name) => !known.has(name));
  if (stranger !== undefined) throw foreign(place.directory, stranger);
  const there = new Set(names);
  return {
    place,
    files: manifest.files.filter(({ name }) => there.has(name)),
    manifest: text,
    program: manifest.program,
    missing: manifest.files.map(({ name }) => name).filter((name) => !there.has(name)),
  };
}

/** The manifest and its text; both undefined where there is none, the manifest where it is damaged. */
export async function readManifest(
  place: SetPlace,
  hash: HashBytes,
): Promise<{ readonly text: string | undefined; readonly manifest: Manifest | undefined }> {
  try {
    const text = await readFile(place.manifest, "utf8");
    return { text, manifest: parseManifest(text, hash) };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { text: undefined, manifest: undefined };
    throw unreadable(place.manifest, error);
  }
}

async function hashedFile(place: SetPlace, name: string, hash: HashBytes): Promise<SetFile> {
  const file = path.join(place.directory, name);
  try {
    const { size } = await stat(file);
    return { name, bytes: size, hash: hash(await readFile(file)), section: undefined };
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Says that a file can't be read; what is told already stays as it is. */
export function unreadable(file: string, error: unknown): Error {
  const code = systemCode(error);
  if (code === undefined && error instanceof Error) return error;
  return failed(`cannot read ${file} (${code ?? String(error)})`, { cause: error });
}

/** The sections that the files are of, with their chunks. */
export function sectionsOf(files: readonly SetFile[]): OldSection[] {
  const sections: { label: string; number: number; chunks: OldChunk[] }[] = [];
  for (const { name, hash, bytes } of files) {
    const parts = parseChunkName(name);
    if (parts === undefined) continue;
    const last = sections.at(-1);
    const chunk = { number: parts.chunk, hash, bytes };
    if (last?.number === parts.section && last.label === parts.label) last.chunks.push(chunk);
    else sections.push({ label: parts.label, number: parts.section, chunks: [chunk] });
  }
  return sections;
}
