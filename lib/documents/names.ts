import { createHash } from "node:crypto";
import { textBytes, types, type Value } from "./bson.ts";

/*
 * Names of files and directories that every file system and every store takes: of A to Z, a to z, 0 to
 * 9, `_`, `-`, `.`, `%` and `~` alone, and at most 120 of them, since encryption makes them longer.
 */
const longest = 120;
const suffix = ".bson";
const ofObjectId = "o-";
/** Hexadecimal digits of SHA-256 behind a name that was cut, and behind one whose case counts. */
const cutDigits = 40;
const caseDigits = 8;

/**
 * The name of the directory of a database or a collection: its own name where that can be, `%` and two
 * hexadecimal digits for each byte that can't. Where capital letters count, or the name was cut, `~`
 * and the beginning of its SHA-256 follow, so that two names differ without their case, too.
 */
export function directoryName(name: string): string {
  const bytes = Buffer.from(name, "utf8");
  const text = escaped(bytes).replaceAll(/^\.|\.$/g, "%2e");
  return limited(text, bytes, longest);
}

/** The name of the file of a document, from its id: another one for every id of every type. */
export function documentName(id: Value): string {
  // The usual one, without what only others need.
  if (id.type === types.objectId) return `${ofObjectId}${hexOf(id.bytes)}${suffix}`;
  const [text, hashed] = readable(id);
  return `${limited(text, hashed, longest - suffix.length)}${suffix}`;
}

/**
 * Whether the rest of a path, from `at` on, is the name of the file of the document with this id. Of the usual ids it
 * is compared digit by digit: making the name takes longer.
 */
export function isNameOf(id: Value, path: string, at: number): boolean {
  if (id.type !== types.objectId) return path.slice(at) === documentName(id);
  const { length } = id.bytes;
  const digits = at + ofObjectId.length;
  if (path.length !== digits + length * 2 + suffix.length) return false;
  if (!path.startsWith(ofObjectId, at) || !path.endsWith(suffix)) return false;
  for (let index = 0; index < length; index += 1) {
    const byte = id.bytes[index] ?? 0;
    const place = digits + index * 2;
    if (path.charCodeAt(place) !== digitCode(byte >> 4)) return false;
    if (path.charCodeAt(place + 1) !== digitCode(byte & 0xf)) return false;
  }
  return true;
}

/** The code of a hexadecimal digit. */
function digitCode(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x57 + digit;
}

/** Whether a name is one that documentName gives. */
export function isDocumentName(name: string): boolean {
  return /^[a-z][0-9a-f]{0,2}-[\w%.~-]*\.bson$/.test(name) && name.length <= longest;
}

function limited(text: string, hashed: Uint8Array, most: number): string {
  if (text.length > most - caseDigits - 1) {
    // Not within a `%` and its digits.
    const begin = text.slice(0, most - cutDigits - 1).replace(/%[0-9a-f]?$/, "");
    return `${begin}~${sha256(hashed).slice(0, cutDigits)}`;
  }
  return /[A-Z]/.test(text) ? `${text}~${sha256(hashed).slice(0, caseDigits)}` : text;
}

/** A text that stands for an id alone, and the bytes that do. */
function readable(id: Value): readonly [string, Uint8Array] {
  const { type } = id;
  const bytes = Buffer.from(id.bytes.buffer, id.bytes.byteOffset, id.bytes.byteLength);
  switch (type) {
    case types.int32:
      return [`i-${bytes.readInt32LE()}`, bytes];
    case types.int64:
      return [`l-${bytes.readBigInt64LE()}`, bytes];
    case types.date:
      return [`t-${bytes.readBigInt64LE()}`, bytes];
    case types.double:
      return [`d-${doubleText(bytes)}`, bytes];
    case types.string: {
      const text = textBytes(id);
      return [`s-${escaped(text)}`, text];
    }
    case types.binary:
      if (bytes[4] === 4 && bytes.length === 21) return [`u-${uuidText(bytes.subarray(5))}`, bytes];
      break;
    default:
  }
  const tag = Buffer.from([type]);
  return [`v${tag.toString("hex")}-${bytes.toString("hex")}`, Buffer.concat([tag, bytes])];
}

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** For a few bytes quicker than making a Buffer of them. */
function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexBytes[byte] ?? "";
  return text;
}

/** The shortest decimal where it tells all bits; for -0 and NaN the bits. */
function doubleText(bytes: Buffer): string {
  const value = bytes.readDoubleLE();
  if (Number.isNaN(value) || Object.is(value, -0))
    return `%${bytes.readBigUInt64LE().toString(16).padStart(16, "0")}`;
  return String(value).replaceAll("+", "");
}

function uuidText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function escaped(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(
      /[^\w.-]/g,
      (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
