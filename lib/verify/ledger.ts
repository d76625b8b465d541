import { createHash } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import { writeAtomically } from "../state/atomic.ts";
import { KeyTable, type Keyed } from "./keys.ts";
import { wordsPerHash, type HashKey } from "./keyedhash.ts";

/**
 * What was read back when. A file is known by the keyed hash of its path, size and time (keys.ts), so one that
 * changed is not in it, and the name of the configuration does not matter.
 */
export interface Ledger {
  readonly hashKey: HashKey;
  readonly count: number;
  /** Two words a file. */
  readonly keys: Uint32Array;
  /** The day on which each was read back, counted from 1970 in UTC. */
  readonly days: Uint16Array;
}

const magic = Buffer.from("rcbledg1", "latin1");
/** Tells a file of a machine of the other byte order, which counts as damaged. */
const byteOrder = 0x0102_0304;
/** magic, byte order, hash key, number of files, 4 bytes of nothing. */
const headerLength = 32;
const digestLength = 32;

export interface ReadLedger {
  readonly ledger: Ledger | undefined;
  /** Where a damaged file is now: set aside, or still in its place. */
  readonly damaged: string | undefined;
}

/**
 * Reads a ledger. One that is cut or damaged is told, never taken for a whole one, and set aside if the
 * caller may change anything. Throws when it exists and can't be read.
 */
export async function readLedger(
  file: string,
  options: { readonly setAside: boolean },
): Promise<ReadLedger> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { ledger: undefined, damaged: undefined };
    throw error;
  }
  const ledger = parse(bytes);
  if (ledger !== undefined) return { ledger, damaged: undefined };
  if (!options.setAside) return { ledger: undefined, damaged: file };
  const damaged = `${file}.damaged`;
  await rename(file, damaged);
  return { ledger: undefined, damaged };
}

function parse(bytes: Buffer): Ledger | undefined {
  const end = bytes.length - digestLength;
  if (end < headerLength || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  if (!digest(bytes.subarray(0, end)).equals(bytes.subarray(end))) return undefined;
  // Small files are read into the middle of a buffer, where words can't be looked at.
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(bytes);
  const [order, low = 0, high = 0, count = 0] = new Uint32Array(
    buffer,
    byteOffset + magic.length,
    4,
  );
  if (order !== byteOrder || end !== lengthOf(count)) return undefined;
  const keys = new Uint32Array(buffer, byteOffset + headerLength, count * wordsPerHash);
  const days = new Uint16Array(buffer, byteOffset + headerLength + keys.byteLength, count);
  return { hashKey: { low, high }, count, keys, days };
}

function lengthOf(count: number): number {
  return headerLength + count * (wordsPerHash * 4 + 2);
}

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** Writes the ledger of these files, those without a day left out: a temporary name, synced, renamed. */
export async function writeLedger(
  file: string,
  files: Keyed & { readonly hashKey: HashKey },
  days: Uint16Array,
): Promise<void> {
  let count = 0;
  for (let at = 0; at < files.count; at += 1) if (days[at] !== 0) count += 1;
  const end = lengthOf(count);
  const bytes = Buffer.alloc(end + digestLength);
  magic.copy(bytes);
  const { buffer, byteOffset } = bytes;
  const header = new Uint32Array(buffer, byteOffset + magic.length, 4);
  header.set([byteOrder, files.hashKey.low, files.hashKey.high, count]);
  const keys = new Uint32Array(buffer, byteOffset + headerLength, count * wordsPerHash);
  const kept = new Uint16Array(buffer, byteOffset + headerLength + keys.byteLength, count);
  let to = 0;
  for (let at = 0; at < files.count; at += 1) {
    const day = days[at] ?? 0;
    if (day === 0) continue;
    keys[to * 2] = files.keys[at * 2] ?? 0;
    keys[to * 2 + 1] = files.keys[at * 2 + 1] ?? 0;
    kept[to] = day;
    to += 1;
  }
  digest(bytes.subarray(0, end)).copy(bytes, end);
  await writeAtomically(file, bytes);
}

/** So many records of files that are gone are passed over at once. */
const lookAhead = 4;

/**
 * The days of these files by a ledger; 0 for those that it does not know. A ledger is written in the order of
 * the files, and mostly still has it: so it is read beside them, and only what does not meet is looked up.
 */
export function daysBy(ledger: Ledger | undefined, files: Keyed): Uint16Array {
  const days = new Uint16Array(files.count);
  if (ledger === undefined) return days;
  const passed: number[] = [];
  let record = 0;
  for (let file = 0; file < files.count && record < ledger.count; file += 1) {
    const last = Math.min(record + lookAhead, ledger.count);
    for (let at = record; at < last; at += 1) {
      if (!sameKey(ledger.keys, at, files.keys, file)) continue;
      for (; record < at; record += 1) passed.push(record);
      days[file] = ledger.days[at] ?? 0;
      record = at + 1;
      break;
    }
  }
  for (; record < ledger.count; record += 1) passed.push(record);
  if (passed.length > 0) lookUp(ledger, passed, files, days);
  return days;
}

function lookUp(ledger: Ledger, records: readonly number[], files: Keyed, days: Uint16Array): void {
  const table = new KeyTable(files);
  for (const record of records) {
    const file = table.find(ledger.keys, record * wordsPerHash);
    if (file >= 0) days[file] = ledger.days[record] ?? 0;
  }
}

function sameKey(a: Uint32Array, at: number, b: Uint32Array, to: number): boolean {
  return (
    a[at * wordsPerHash] === b[to * wordsPerHash] &&
    a[at * wordsPerHash + 1] === b[to * wordsPerHash + 1]
  );
}
