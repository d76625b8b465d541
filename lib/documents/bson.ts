import { failed } from "../errors.ts";

/*
 * Documents are kept as the bytes that the server sent: decoding them would lose the order of keys
 * that look like numbers, keys that stand twice, and bits of a NaN. This reads of them just what is
 * needed, by the format of https://bsonspec.org (version 1.1).
 */

/** A value in the bytes of a document. */
export interface Value {
  /** BSON's type, such as 7 for an ObjectId. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

export const types = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
} as const;

/** Lengths of values by type, where they are fixed; -1 elsewhere. */
const fixed = byType({
  0x01: 8,
  0x06: 0,
  0x07: 12,
  0x08: 1,
  0x09: 8,
  0x0a: 0,
  0x10: 4,
  0x11: 8,
  0x12: 8,
  0x13: 16,
  0x7f: 0,
  0xff: 0,
});

/** Bytes that follow an int32 length, besides those it counts; BSON counts itself in for documents; -1 elsewhere. */
const counted = byType({
  0x02: 4,
  0x03: 0,
  0x04: 0,
  0x05: 5,
  0x0c: 16,
  0x0d: 4,
  0x0e: 4,
  0x0f: 0,
});

/** A million documents have ten million types: in an object, each would be looked for as a name is. */
function byType(lengths: Readonly<Record<number, number>>): Int8Array {
  return Int8Array.from({ length: 256 }, (_, type) => lengths[type] ?? -1);
}

/** The int32 at an offset, which may be outside: then -1, which no length is. */
export function int32At(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return -1;
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

/** Whether bytes are a document as far as its length and last byte tell. */
export function isWhole(bytes: Uint8Array): boolean {
  return bytes.length >= 5 && int32At(bytes, 0) === bytes.length && bytes.at(-1) === 0;
}

/** Deeper than this, no server takes a document. */
const deepest = 500;

/** Whether bytes are a document in all that it holds, too. */
export function isSound(bytes: Uint8Array): boolean {
  try {
    checkDocument(bytes, 0, bytes.length, 0);
    return true;
  } catch {
    return false;
  }
}

/** Throws where what lies between two places is no document. */
function checkDocument(bytes: Uint8Array, from: number, end: number, depth: number): void {
  const last = end - 1;
  const isLong = last - from >= 4 && int32At(bytes, from) === end - from;
  if (depth > deepest || !isLong || bytes[last] !== 0)
    throw damaged("a length that is that of its bytes");
  for (let at = from + 4; at < last;) {
    const type = bytes[at] ?? 0;
    const value = zeroFrom(bytes, at + 1) + 1;
    at = valueEnd(bytes, type, value, last);
    if (fixed[type] === -1) checkValue(bytes, type, value, at, depth);
    else if (type === types.boolean && (bytes[value] ?? 0) > 1) throw damaged("true or false");
  }
}

/** The same of a value whose length is told in it. */
function checkValue(
  bytes: Uint8Array,
  type: number,
  from: number,
  end: number,
  depth: number,
): void {
  if (type === types.document || type === types.array) checkDocument(bytes, from, end, depth + 1);
  else if (type === 0x02 || type === 0x0d || type === 0x0e) checkText(bytes, from, end);
  else if (type === 0x0c) checkText(bytes, from, end - 12);
  else if (type === 0x0f) {
    // Code, and a document of what it can see.
    const codeEnd = from + 8 + int32At(bytes, from + 4);
    if (codeEnd > end) throw damaged("code that ends");
    checkText(bytes, from + 4, codeEnd);
    checkDocument(bytes, codeEnd, end, depth + 1);
  }
}

function checkText(bytes: Uint8Array, from: number, end: number): void {
  if (end - from < 5 || int32At(bytes, from) !== end - from - 4 || bytes[end - 1] !== 0)
    throw damaged("a text that ends");
}

/** Where the next zero is; keys are short, so looking here costs less than a call. */
function zeroFrom(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== 0) at += 1;
  return at;
}

/**
 * The `_id` of a document; undefined where it has none. It comes first in what a server sends, and is
 * looked for anyway. Throws failed() on what is no BSON.
 */
export function idOf(bytes: Uint8Array): Value | undefined {
  // 5f 69 64 00 is "_id" and its end.
  if (bytes[5] === 0x5f && bytes[6] === 0x69 && bytes[7] === 0x64 && bytes[8] === 0) {
    const type = bytes[4] ?? 0;
    return { type, bytes: bytes.subarray(9, valueEnd(bytes, type, 9)) };
  }
  return valueOf(bytes, "_id");
}

/** The first value of a document with that key at its top. Throws failed() on what is no BSON. */
export function valueOf(bytes: Uint8Array, wanted: string): Value | undefined {
  for (const { key, ...value } of elementsOf(bytes)) if (key === wanted) return value;
  return undefined;
}

/** The elements at the top of a document, in order. Throws failed() on what is no BSON. */
export function* elementsOf(bytes: Uint8Array): Generator<Value & { readonly key: string }> {
  if (!isWhole(bytes)) throw damaged("a length that is that of its bytes");
  let at = 4;
  while (at < bytes.length - 1) {
    const type = bytes[at] ?? 0;
    const keyEnd = bytes.indexOf(0, at + 1);
    if (keyEnd < 0) throw damaged("a key that ends");
    const end = valueEnd(bytes, type, keyEnd + 1);
    const key = decoder.decode(bytes.subarray(at + 1, keyEnd));
    yield { key, type, bytes: bytes.subarray(keyEnd + 1, end) };
    at = end;
  }
}

/** Whether the elements at the top of a document are BSON: more than isWhole looks at, and less than isSound. */
export function hasElements(bytes: Uint8Array): boolean {
  if (!isWhole(bytes)) return false;
  try {
    for (let at = 4; at < bytes.length - 1;)
      at = valueEnd(bytes, bytes[at] ?? 0, zeroFrom(bytes, at + 1) + 1);
    return true;
  } catch {
    return false;
  }
}

const decoder = new TextDecoder();

/** Where a value ends that begins at `at`, in a document whose last byte is at `last`. Throws failed() where it can't. */
function valueEnd(bytes: Uint8Array, type: number, at: number, last = bytes.length - 1): number {
  let length = fixed[type] ?? -1;
  if (length < 0) {
    const extra = counted[type] ?? -1;
    if (extra >= 0) {
      length = int32At(bytes, at);
      if (length >= 0) length += extra;
    } else if (type === 0x0b) {
      // A regular expression: two texts.
      const middle = bytes.indexOf(0, at);
      const end = middle < 0 ? -1 : bytes.indexOf(0, middle + 1);
      length = end < 0 ? -1 : end + 1 - at;
    } else throw damaged(`a type of value, found ${type}`);
  }
  const end = at + length;
  if (length < 0 || end > last) throw damaged("a value that ends within it");
  return end;
}

function damaged(expected: string): Error {
  return failed(`expected a document of BSON with ${expected}`);
}

/** A document of such elements. */
export function documentOf(
  elements: readonly { readonly key: string; readonly type: number; readonly bytes: Uint8Array }[],
): Buffer {
  const parts = elements.map(({ key, type, bytes }) =>
    Buffer.concat([Buffer.from([type]), Buffer.from(`${key}\0`), bytes]),
  );
  const length = Buffer.alloc(4);
  length.writeInt32LE(5 + parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts, Buffer.from([0])]);
}

/** Text, or its bytes, as BSON's string holds it. */
export function stringValue(text: string | Uint8Array): Value {
  const bytes = Buffer.concat([Buffer.from(text), Buffer.of(0)]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length);
  return { type: types.string, bytes: Buffer.concat([length, bytes]) };
}

/** The bytes of the text in a value of the type string. */
export function textBytes(value: Value): Buffer {
  const { buffer, byteOffset, byteLength } = value.bytes;
  return Buffer.from(buffer, byteOffset + 4, Math.max(byteLength - 5, 0));
}
