import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { systemCode } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { parseJson } from "../state/jsonfile.ts";
import { digitsOf } from "./content.ts";
import { DocumentTable } from "./table.ts";

/** Of a collection with a timestamp field: documents before this time, milliseconds since 1970, are known. */
export interface Known {
  readonly field: string;
  readonly time: number;
}

/** What is remembered of a collection from one export to the next. Losing it costs time, never a document. */
export interface CollectionState {
  readonly table: DocumentTable;
  readonly known: Known | undefined;
  /** The collection of which all documents were read: see sourceOf; undefined where they were not. */
  readonly source: string | undefined;
  /** Stands for the directories of the files that this tells of: see stampOf. */
  readonly stamp: string;
}

/** A collection as a state remembers it: by its uuid, or as one of a server that tells none. */
export function sourceOf(uuid: string | undefined): string {
  return uuid ?? untold;
}

const untold = "untold";

/** The UUID of the collection that a state file tells of; undefined where it tells none, or there is none. */
export async function rememberedUuid(file: string): Promise<string | undefined> {
  const source = (await readState(file, 0))?.source;
  return source === untold ? undefined : source;
}

/*
 * magic (16 bytes) · number of records (1 word) · bytes of the JSON (1 word) · records of 8 words · what else
 * is known, as JSON · SHA-256 of all that, as 64 digits
 */
const magic = "rclone-mongo 4\n\0";
const headerBytes = 24;
const checkBytes = 64;
const recordBytes = 32;
/** So much is read at once. */
const piece = 2 ** 30;
const restSchema = v.object({
  known: v.optional(v.object({ field: v.string(), time: v.number() })),
  source: v.optional(v.string()),
  stamp: v.string(),
});

export function newSecret(): number {
  return randomBytes(4).readUInt32LE();
}

/**
 * Reads a state file; undefined where there is none, or one that is damaged or of another version, since
 * it can be made anew. `expected`: how many documents there will be.
 */
export async function readState(
  file: string,
  expected: number,
): Promise<CollectionState | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const end = bytes.length - checkBytes;
  if (end < headerBytes || bytes.toString("latin1", 0, magic.length) !== magic) return undefined;
  const count = bytes.readUInt32LE(16);
  const recordsEnd = headerBytes + count * recordBytes;
  if (end !== recordsEnd + bytes.readUInt32LE(20)) return undefined;
  if (digitsOf(bytes.subarray(0, end)) !== bytes.toString("latin1", end)) return undefined;
  const rest = parseJson(bytes.toString("utf8", recordsEnd, end), restSchema);
  if (rest === undefined) return undefined;
  // Copied, so that it lies on a boundary of words.
  const records = new Uint32Array(count * (recordBytes / 4));
  new Uint8Array(records.buffer).set(bytes.subarray(headerBytes, recordsEnd));
  return {
    table: DocumentTable.of(records, expected, newSecret()),
    known: rest.known,
    source: rest.source,
    stamp: rest.stamp,
  };
}

/** Of any length: readFile takes no more than 2 GiB. */
async function readWhole(file: string): Promise<Buffer> {
  const handle = await open(file, "r");
  try {
    const bytes = Buffer.allocUnsafeSlow((await handle.stat()).size);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, piece), at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Writes a state file: a temporary name, renamed; the caller syncs. Throws failed(). */
export async function writeState(file: string, state: CollectionState): Promise<void> {
  const records = state.table.records();
  const header = Buffer.alloc(headerBytes);
  header.write(magic, "latin1");
  header.writeUInt32LE(records.length / (recordBytes / 4), 16);
  const { known, source, stamp } = state;
  const rest = Buffer.from(JSON.stringify({ known, source, stamp }));
  header.writeUInt32LE(rest.length, 20);
  const body = new Uint8Array(records.buffer, records.byteOffset, records.byteLength);
  const digits = digitsOf(header, body, rest);
  const temporary = `${file}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    // What a killed run left, or a link, is not written into.
    await rm(temporary, { force: true });
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      for (const part of [header, body, rest, Buffer.from(digits)]) await handle.writeFile(part);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw writeFailure(file, error);
  }
}
