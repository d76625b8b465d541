import { badRequest } from "./errors.ts";
import { compareNames, firstIndex } from "./names.ts";
import type { Source, Version } from "./version.ts";

/** A bucket whose versions are computed for each page that is listed, and never held. */
export interface GeneratedOptions {
  readonly bucket: string;
  /** How many versions there are in all. */
  readonly versions: number;
  /** How many a file has (the last file the rest). */
  readonly perFile: number;
  readonly seed?: number;
  /** The name of the file; must ascend by UTF-8 bytes. */
  readonly name?: (file: number) => string;
  /** When version `version` (0 is the newest) came, milliseconds since 1970; must descend with `version`. */
  readonly time?: (file: number, version: number) => number;
  /** Whether this version is a hide marker; none unless given. */
  readonly hidden?: (file: number, version: number) => boolean;
  /** Bytes; by the seed unless given. */
  readonly size?: (file: number, version: number) => number;
}

const day = 86_400_000;
const newest = Date.UTC(2026, 0, 1);

/**
 * Versions that are listed and can be deleted, but have no content and can't be added to. All that
 * is held is a bit for each one.
 */
export function generatedSource(bucketId: string, options: GeneratedOptions): Source {
  const { versions, perFile, seed = 1 } = options;
  const files = Math.ceil(versions / perFile);
  const gone = new Uint8Array(Math.ceil(versions / 8));
  const name = options.name ?? ((file) => defaultName(file));
  const time = options.time ?? ((file, version) => newest - (file % 1000) - version * day);
  const make = (file: number, version: number, fileName: string): Version | undefined => {
    const index = file * perFile + version;
    if (((gone[index >> 3] ?? 0) >> (index & 7)) & 1) return undefined;
    const hide = options.hidden?.(file, version) ?? false;
    const noise = scramble(seed, index);
    const timestamp = time(file, version);
    return {
      fileId: generatedId(bucketId, file, version),
      fileName,
      bucketId,
      action: hide ? "hide" : "upload",
      timestamp,
      size: hide ? 0 : (options.size?.(file, version) ?? noise % 1_000_000),
      content: undefined,
      sha1: hide ? null : pad(noise, 8).repeat(5),
      md5: null,
      contentType: hide ? null : "application/octet-stream",
      fileInfo: hide ? {} : { src_last_modified_millis: String(timestamp - 60_000) },
      parts: new Map(),
    };
  };
  const count = (file: number): number => Math.min(perFile, versions - file * perFile);
  const versionsAt = (file: number): readonly Version[] => {
    const all: Version[] = [];
    const fileName = name(file);
    for (let version = 0; version < count(file); version += 1) {
      const made = make(file, version, fileName);
      if (made !== undefined) all.push(made);
    }
    return all;
  };
  return {
    length: files,
    nameAt: name,
    versionsAt,
    named: (wanted) => {
      const file = firstIndex(0, files, (index) => compareNames(name(index), wanted) >= 0);
      return file < files && name(file) === wanted ? versionsAt(file) : [];
    },
    before: (version, fileId) => (place(version.fileId)?.[1] ?? 0) < (place(fileId)?.[1] ?? 0),
    find: (fileId) => {
      const own = fileId.startsWith(`4_z${bucketId}_f2`);
      const [file, version] = (own ? place(fileId) : undefined) ?? [];
      if (file === undefined || version === undefined || file >= files) return undefined;
      return version < count(file) ? make(file, version, name(file)) : undefined;
    },
    add: () => {
      throw badRequest("nothing can be added to a generated bucket");
    },
    drop: ({ fileId }) => {
      const [file = 0, version = 0] = place(fileId) ?? [];
      const index = file * perFile + version;
      gone[index >> 3] = (gone[index >> 3] ?? 0) | (1 << (index & 7));
    },
  };
}

function defaultName(file: number): string {
  const digits = String(file).padStart(9, "0");
  return `d${digits.slice(0, 3)}/d${digits.slice(3, 6)}/f${digits}.bin`;
}

function generatedId(bucketId: string, file: number, version: number): string {
  return `4_z${bucketId}_f2${pad(file, 10)}${pad(version, 8)}_d20260101_m000000_c001_v0001000_t0000`;
}

function place(fileId: string): [number, number] | undefined {
  const [, file, version] = /_f2([0-9a-f]{10})([0-9a-f]{8})_/.exec(fileId) ?? [];
  if (file === undefined || version === undefined) return undefined;
  return [Number.parseInt(file, 16), Number.parseInt(version, 16)];
}

function pad(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

// An integer hash: the same number for the same seed and index.
function scramble(seed: number, index: number): number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  return (state ^ (state >>> 15)) >>> 0;
}
