import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { Failure } from "../../errors.ts";
import { parseEntry, type Entry } from "../../manifest/entry.ts";
import { acquireLock, type Lock } from "../../state/lock.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { takeCoverage, writeCoverage, type Coverage } from "../../verify/coverage.ts";
import { dayFromText, dayOf, dayText } from "../../verify/days.ts";
import { eachFile } from "../../verify/filelist.ts";
import { wordsPerHash } from "../../verify/keyedhash.ts";
import { lineKey } from "../../verify/keys.ts";
import { writeLedger } from "../../verify/ledger.ts";
import { writeParts, type Part, type Vain } from "../../verify/parts.ts";
import { sumUp } from "../../verify/sums.ts";
import {
  knownBy,
  openBook,
  placeOf,
  reopenBook,
  tellDamaged,
  type Book,
  type OpenBook,
} from "./book.ts";

/** What came of a verification, as the ledger takes it. */
export interface Proof {
  /** A listing, and which of its lines were compared as whole files. */
  readonly compared: {
    readonly listing: string;
    readonly isChosen: (line: number) => boolean;
    /** Where each line's file is in the book by which it was chosen. */
    readonly places?: Uint32Array | undefined;
  };
  /** Of them, what was found wrong: it counts as never verified until it is proved. */
  readonly differences: ReadonlySet<RawPath>;
  /** Of them, what could not be compared: nothing new is known of it. */
  readonly open: ReadonlySet<RawPath>;
  /** Large files of which more was read back, as far as they are proved now. */
  readonly ranges: readonly Part[];
  /** Of ranges that were not equal, the files. */
  readonly unproved: readonly Entry[];
  /** Large files that changed before all was read, as they are now. */
  readonly restarted: readonly Part[];
  /** False where checksums were compared: that is the store's word, and nothing was read back. */
  readonly content: boolean;
  /** Checksums of all files were compared. */
  readonly everyHash: boolean;
  /** All that was chosen could be compared. */
  readonly complete: boolean;
  /** Whether files that could not be compared are left alone for some days. */
  readonly rest: boolean;
}

/** The rest of a proof that is of the content of whole files alone. */
export const wholeFiles: Omit<Proof, "compared" | "differences"> = {
  ...{ open: new Set(), ranges: [], unproved: [], restarted: [] },
  ...{ content: true, everyHash: false, complete: false, rest: false },
};

/** At most so many are remembered. */
const mostVain = 10_000;

/**
 * Writes down what was proved, in ledger, parts.json and coverage.json. `book` is the ledger as it was when the
 * files were chosen, where it was open then. Returns the coverage; undefined where no list tells of all files.
 */
export async function keepProof(
  work: OpenBook,
  proof: Proof,
  chosenBy?: Book,
): Promise<Coverage | undefined> {
  const lock = await lockLedger(work);
  try {
    const book = chosenBy === undefined ? await openBook(work) : await reopenBook(work, chosenBy);
    const today = dayOf(work.session.world.now());
    const taken = await take(book, proof, today);
    const parts = partsAfter(taken, proof);
    const vain = vainAfter(taken, proof, today);
    // At once: each waits for the disk, and after a crash any of them may be the older one.
    const [ledgerKept, partsKept, coverageKept] = await Promise.allSettled([
      writeLedger(work.files.ledger, taken.files, taken.days),
      writeParts(work.files.parts, { parts, vain }),
      taken.list === undefined
        ? undefined
        : keepCoverage(work, { ...taken, parts: { parts, vain: [] } }, proof),
    ]);
    // The lock is held until the last of them has ended.
    for (const kept of [ledgerKept, partsKept]) if (kept.status === "rejected") throw kept.reason;
    if (coverageKept.status === "rejected") throw coverageKept.reason;
    return coverageKept.value;
  } finally {
    await lock.release();
  }
}

const ledgerWaitMs = 30_000;
const pollMs = 50;

/** Two verifications may end at once; the lock of the destination, which they share, lets them. */
export async function lockLedger({
  session,
  files,
}: Pick<OpenBook, "session" | "files">): Promise<Lock> {
  const { world, backup } = session;
  const deadline = performance.now() + ledgerWaitMs;
  for (;;) {
    try {
      return await acquireLock(join(files.directory, "ledger.lock"), {
        ...{ mode: "exclusive", signal: world.signal, now: world.now },
        command: `rclone-backup --verify ${backup.name}`,
      });
    } catch (error) {
      const busy = error instanceof Failure && error.outcome === "skipped";
      if (!busy || performance.now() > deadline) throw error;
      await sleep(pollMs);
    }
  }
}

/** The book with what was compared, and which files that proved or could not. */
interface Taken extends Book {
  readonly proved: Uint8Array;
  readonly vain: readonly Entry[];
}

async function take(book: Book, proof: Proof, today: number): Promise<Taken> {
  const { files } = book;
  let { days } = book;
  const { compared, differences, open, content } = proof;
  const proved = new Uint8Array(files.count);
  const added: number[] = [];
  const vain: Entry[] = [];
  const key = new Uint32Array(wordsPerHash);
  await eachFile({ kind: "listing", file: compared.listing }, (line, bytes, start, end) => {
    if (!compared.isChosen(line)) return;
    const known = compared.places?.[line];
    if (known === undefined && lineKey(key, 0, bytes, start, end, files.hashKey) === undefined)
      return;
    const place = known ?? book.table().find(key, 0);
    const entry = differences.size + open.size === 0 ? undefined : entryAt(bytes, start, end);
    if (entry !== undefined && differences.has(entry.path)) {
      if (place >= 0) days[place] = 0;
    } else if (entry !== undefined && open.has(entry.path)) {
      if (place >= 0 && vain.length < mostVain) vain.push(entry);
    } else if (content && place >= 0) {
      days[place] = today;
      proved[place] = 1;
    } else if (content && book.list === undefined) {
      files.add(bytes, start, end);
      added.push(today);
    }
  });
  if (added.length > 0) days = joined(days, added);
  for (const entry of proof.unproved) {
    const place = placeOf(book, entry);
    if (differences.has(entry.path) && place >= 0) days[place] = 0;
    else if (place >= 0) vain.push(entry);
  }
  for (const part of proof.ranges) {
    const place = placeOf(book, part);
    if (place >= 0 && part.offset === part.size) days[place] = dayFromText(part.since);
  }
  return { ...book, days, proved, vain };
}

function entryAt(bytes: Uint8Array, start: number, end: number): Entry | undefined {
  return parseEntry(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
}

function joined(days: Uint16Array, added: readonly number[]): Uint16Array {
  const all = new Uint16Array(days.length + added.length);
  all.set(days);
  all.set(added, days.length);
  return all;
}

/** Large files that are begun: what was proved as a whole or found wrong is no longer. */
function partsAfter(taken: Taken, proof: Proof): readonly Part[] {
  const changed = new Map(
    [...proof.restarted, ...proof.ranges].map((part) => [part.path, part] as const),
  );
  const before = taken.parts.parts.filter(({ path }) => !changed.has(path));
  return [...before, ...changed.values()].filter((part) => {
    const place = placeOf(taken, part);
    const whole = part.offset === part.size || (place >= 0 && taken.proved[place] === 1);
    return !whole && !proof.differences.has(part.path);
  });
}

function vainAfter(taken: Taken, { rest }: Proof, today: number): readonly Vain[] {
  const { list, parts, vain } = taken;
  const failed = new Set(rest ? vain.map(({ path }) => path) : []);
  const before = parts.vain.filter((file) => {
    const place = placeOf(taken, file);
    const gone = place < 0 && list !== undefined;
    return !gone && !(place >= 0 && taken.proved[place] === 1) && !failed.has(file.path);
  });
  const now = rest
    ? vain.map(({ path, size, time }) => ({ path, size, time, day: dayText(today) }))
    : [];
  return [...before, ...now].slice(-mostVain);
}

async function keepCoverage(work: OpenBook, book: Book, proof: Proof): Promise<Coverage> {
  const now = work.session.world.now();
  const { value: before, damaged } = await takeCoverage(work.files.coverage);
  tellDamaged(work.session, "a coverage", damaged, "it is summed up anew");
  const at = now.toISOString();
  const hash = proof.everyHash ? { at } : before?.hash;
  const { content, everyHash } = proof;
  const complete = proof.complete
    ? {
        ...before?.complete,
        ...(content ? { content: at } : {}),
        ...(everyHash ? { hash: at } : {}),
      }
    : before?.complete;
  const coverage: Coverage = {
    ...{ version: 1, at },
    ...sumUp(knownBy(book, now), dayOf(now)),
    ...(hash === undefined ? {} : { hash }),
    ...(complete === undefined ? {} : { complete }),
  };
  await writeCoverage(work.files.coverage, coverage);
  return coverage;
}
