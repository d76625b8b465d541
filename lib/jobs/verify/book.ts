import { randomBytes } from "node:crypto";
import { FileKeys, KeyTable } from "../../verify/keys.ts";
import { readKeys, type FileList } from "../../verify/filelist.ts";
import { wordsPerHash, type HashKey } from "../../verify/keyedhash.ts";
import { daysBy, readLedger, type Ledger } from "../../verify/ledger.ts";
import { readParts, type Named, type Parts } from "../../verify/parts.ts";
import { dayFromText, dayOf } from "../../verify/days.ts";
import type { Known } from "../../verify/next.ts";
import type { Counted } from "../../verify/sums.ts";
import type { Session } from "../session.ts";
import type { StateFiles } from "../statefiles.ts";

/** The ledger, opened over the files that there are. */
export interface Book {
  /**
   * Those of the list, and after them what else the ledger knows: only a manifest, which says what the destination
   * holds, lets go of that.
   */
  readonly files: FileKeys;
  /** How many of the files are of the list. */
  readonly listed: number;
  /** Finds files; made when it is first asked for. */
  readonly table: () => KeyTable;
  /** By the ledger; 0 is never. */
  readonly days: Uint16Array;
  readonly parts: Parts;
  /** The list that the files come from; undefined when only the ledger itself tells of them. */
  readonly list: FileList | undefined;
}

/** What the ledger needs of a session. */
export interface LedgerSession {
  readonly world: Pick<Session["world"], "now" | "signal" | "events">;
  readonly backup: Pick<Session["backup"], "name">;
}

export interface OpenBook {
  readonly session: LedgerSession;
  readonly files: Pick<StateFiles, "directory" | "ledger" | "parts" | "coverage">;
  /** Everything that is backed up, where a list of that is at hand. */
  readonly list: FileList | undefined;
  /** False leaves damaged files where they are. */
  readonly setAside: boolean;
}

/**
 * Reads the ledger for the files of a list. Damaged files are set aside and told: what they knew is
 * lost, and so read back anew. Throws DamagedManifest when the list is a manifest that is cut.
 */
export async function openBook(work: OpenBook): Promise<Book> {
  const ledger = await theLedger(work);
  const parts = await theParts(work);
  const { list } = work;
  const hashKey = ledger?.hashKey ?? newHashKey();
  const expected = ledger?.count ?? 0;
  const files =
    list === undefined ? new FileKeys(hashKey, expected) : await readKeys(list, hashKey, expected);
  return { ...underLedger(files, files.count, list, ledger), parts };
}

/** Reads the ledger once more, which a verification beside this one may have written meanwhile. */
export async function reopenBook(work: OpenBook, book: Book): Promise<Book> {
  const { files, listed, list } = book;
  const ledger = await theLedger(work);
  if (ledger === undefined) return { ...book, parts: await theParts(work) };
  const { low, high } = ledger.hashKey;
  // Somebody began the ledger meanwhile, with a key of its own.
  if (low !== files.hashKey.low || high !== files.hashKey.high) return openBook({ ...work, list });
  return { ...underLedger(files, listed, list, ledger), parts: await theParts(work) };
}

function underLedger(
  files: FileKeys,
  listed: number,
  list: FileList | undefined,
  ledger: Ledger | undefined,
): Omit<Book, "parts"> {
  files.count = listed;
  if (ledger !== undefined && list?.kind !== "manifest") {
    const known = new KeyTable(files);
    for (let record = 0; record < ledger.count; record += 1) {
      const at = record * wordsPerHash;
      if (known.find(ledger.keys, at) < 0) files.addKey(ledger.keys, at);
    }
  }
  let table: KeyTable | undefined;
  return {
    ...{ files, listed, list, days: daysBy(ledger, files) },
    table: () => (table ??= new KeyTable(files)),
  };
}

async function theLedger({ session, files, setAside }: OpenBook): Promise<Ledger | undefined> {
  const { ledger, damaged } = await readLedger(files.ledger, { setAside });
  tellDamaged(session, "a ledger", damaged, "what was read back when begins anew");
  return ledger;
}

async function theParts({ session, files, setAside }: OpenBook): Promise<Parts> {
  const { parts, damaged } = await readParts(files.parts, { setAside });
  tellDamaged(session, "parts of large files", damaged, "they are read from their beginning");
  return parts;
}

/** Tells of a state file that is damaged, if there is one. */
export function tellDamaged(
  session: LedgerSession,
  expected: string,
  damaged: string | undefined,
  consequence: string,
): void {
  if (damaged === undefined) return;
  const where = damaged.endsWith(".damaged") ? `it is kept as ${damaged}` : damaged;
  session.world.events.warn(
    `state: expected ${expected}, found a damaged file; ${where}, and ${consequence}`,
  );
}

function newHashKey(): HashKey {
  const bytes = randomBytes(8);
  return { low: bytes.readUInt32LE(0), high: bytes.readUInt32LE(4) };
}

/** The place of a file; -1 where it is not there as it was. */
export function placeOf({ files, table }: Book, file: Named): number {
  const one = new FileKeys(files.hashKey);
  one.addFile(file);
  return table().find(one.keys, 0);
}

/** After so many days a file that could not be compared is tried again. */
const restDays = 7;

/** A file that changed so often before all of it was read is taken for one that always will. */
const manyRestarts = 3;

/** What a choice and a sum need to know. */
export function knownBy(book: Book, now: Date): Known & Counted {
  const { files, listed, days, parts } = book;
  const begun = new Map<number, number>();
  const restarted = new Set<number>();
  for (const part of parts.parts) {
    const place = placeOf(book, part);
    if (place < 0) continue;
    if (part.offset > 0) begun.set(place, part.offset);
    if (part.restarts >= manyRestarts) restarted.add(place);
  }
  const today = dayOf(now);
  const resting = new Set<number>();
  for (const vain of parts.vain) {
    const age = today - dayFromText(vain.day);
    if (age >= 0 && age < restDays) resting.add(placeOf(book, vain));
  }
  return { count: listed, sizes: files.sizes, days, begun, restarted, resting };
}
