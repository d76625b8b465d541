import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { idOf, types, type Value } from "./bson.ts";

/*
 * An id as four 32-bit numbers, the key of the state's table. Short ids are whole in it: type and
 * length in the first, the bytes in the others. Of longer ones it holds 112 bits of SHA-256, and the
 * directory, so that a record leads to the file.
 */
export type Key = Uint32Array;

const shortest = 12;
/** Where the value of an id begins that is the first of a document. */
const idAt = 9;
const long = 0x8000_0000;

/** The directory of a document's file, from 0 to 4095: the last 12 bits of the CRC-32 of type and value. */
export function directoryOf(id: Value): number {
  return crc32(id.bytes, typeChecks[id.type]) & 0xfff;
}

/** The CRC-32 of each type. */
const typeChecks = Array.from({ length: 256 }, (_, type) => crc32(Uint8Array.of(type)));

/** Writes the key of an id into `key`. */
export function writeKey(id: Value, key: Key): void {
  const { type, bytes } = id;
  if (bytes.length > shortest) return writeLongKey(id, key);
  key[0] = type | (bytes.length << 8);
  key[1] = word(bytes, 0);
  key[2] = word(bytes, 4);
  key[3] = word(bytes, 8);
}

/** Writes the key of a document's id; false where it has none. Throws failed() on what is no BSON. */
export function writeKeyOfDocument(bytes: Uint8Array, key: Key): boolean {
  // An ObjectId that comes first: 5f 69 64 00 is "_id" and its end.
  if (
    bytes.length >= idAt + shortest + 1 &&
    bytes[4] === types.objectId &&
    bytes[5] === 0x5f &&
    bytes[6] === 0x69 &&
    bytes[7] === 0x64 &&
    bytes[8] === 0
  ) {
    key[0] = types.objectId | (shortest << 8);
    key[1] = word(bytes, idAt);
    key[2] = word(bytes, idAt + 4);
    key[3] = word(bytes, idAt + 8);
    return true;
  }
  const id = idOf(bytes);
  if (id !== undefined) writeKey(id, key);
  return id !== undefined;
}

/** The id that a key holds whole; undefined for a long one. */
export function shortId(key: Key): Value | undefined {
  const [first = 0, ...words] = key;
  if (first >= long) return undefined;
  const bytes = Buffer.alloc(shortest);
  for (const [at, each] of words.entries()) bytes.writeUInt32LE(each, at * 4);
  return { type: first & 0xff, bytes: bytes.subarray(0, first >>> 8) };
}

/** The directory of the file of a record's document. */
export function directoryOfKey(key: Key): number {
  const id = shortId(key);
  return id === undefined ? ((key[0] ?? 0) >>> 16) & 0xfff : directoryOf(id);
}

function writeLongKey(id: Value, key: Key): void {
  const hash = createHash("sha256").update(Uint8Array.of(id.type)).update(id.bytes).digest();
  key[0] = (long | (directoryOf(id) << 16) | hash.readUInt16LE(0)) >>> 0;
  key[1] = hash.readUInt32LE(4);
  key[2] = hash.readUInt32LE(8);
  key[3] = hash.readUInt32LE(12);
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}
