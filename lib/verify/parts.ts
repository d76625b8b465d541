import { rm } from "node:fs/promises";
import * as v from "valibot";
import { readJson, writeJson } from "../state/jsonfile.ts";
import { isUtf8, rawFromBytes, rawFromText, textFromRaw, type RawPath } from "../units/rawpath.ts";

/** A file as it stands in the manifest. */
export interface Named {
  readonly path: RawPath;
  readonly size: number;
  readonly time: string;
}

/** A large file of which some was read back. */
export interface Part extends Named {
  /** So many bytes from its beginning on were proved. */
  readonly offset: number;
  /** The day on which the first of them were. */
  readonly since: string;
  /** How often it changed before all of it was read. */
  readonly restarts: number;
}

/** A file that could not be compared. */
export interface Vain extends Named {
  readonly day: string;
}

/** What the ledger can't hold: few files, by name. */
export interface Parts {
  readonly parts: readonly Part[];
  readonly vain: readonly Vain[];
}

const day = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\d$/));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const named = {
  /** For a reader; it is the path itself unless `bytes` stands beside it. */
  path: v.string(),
  /** Base64, of a path that is not UTF-8. */
  bytes: v.optional(v.string()),
  size: v.pipe(v.number(), v.safeInteger()),
  time: v.string(),
};
const schema = v.object({
  version: v.literal(1),
  parts: v.array(v.object({ ...named, offset: count, since: day, restarts: count })),
  vain: v.array(v.object({ ...named, day })),
});

export interface ReadParts {
  readonly parts: Parts;
  /** Where a damaged file is now: set aside, or still in its place. */
  readonly damaged: string | undefined;
}

/** Reads parts.json. A damaged one is told, and set aside if the caller may change anything. */
export async function readParts(
  file: string,
  options: { readonly setAside: boolean },
): Promise<ReadParts> {
  const { value, damaged } = await readJson(file, schema, options);
  if (value === undefined) return { parts: { parts: [], vain: [] }, damaged };
  const { parts, vain } = value;
  return { parts: { parts: parts.map(fromFile), vain: vain.map(fromFile) }, damaged };
}

function fromFile<T extends { path: string; bytes?: string | undefined }>({
  path,
  bytes,
  ...rest
}: T): Omit<T, "path" | "bytes"> & { readonly path: RawPath } {
  const raw =
    bytes === undefined
      ? rawFromText(path)
      : rawFromBytes(Buffer.from(bytes, "base64").toString("latin1"));
  return { ...rest, path: raw };
}

/** Writes parts.json: a temporary name, synced, renamed. Nothing to remember leaves no file. */
export async function writeParts(file: string, { parts, vain }: Parts): Promise<void> {
  if (parts.length + vain.length === 0) {
    await rm(file, { force: true });
    return;
  }
  await writeJson(file, { version: 1, parts: parts.map(toFile), vain: vain.map(toFile) });
}

function toFile<T extends Named>(item: T): Omit<T, "path"> & { path: string; bytes?: string } {
  const path = textFromRaw(item.path);
  if (isUtf8(item.path)) return { ...item, path };
  return { ...item, path, bytes: Buffer.from(item.path, "latin1").toString("base64") };
}
