import { join } from "node:path";
import { parseEntry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { DamagedManifest } from "../../manifest/manifest.ts";
import { LineSpool } from "../../process/spool.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { dayOf, dayText } from "../../verify/days.ts";
import { eachFile, type FileList } from "../../verify/filelist.ts";
import type { CheckFinding } from "../../verify/judge.ts";
import {
  chooseNext,
  transactionsPerFile,
  type NextChoice,
  type NightlyBudget,
} from "../../verify/next.ts";
import type { Part } from "../../verify/parts.ts";
import { knownBy, openBook, placeOf, type Book } from "./book.ts";
import { listSource, type Choice } from "./choice.ts";
import type { NamedRange } from "./ranges.ts";
import type { Difference, NextResult, Verification } from "./verification.ts";

/** What is next by the ledger. */
export interface Next extends Choice {
  readonly book: Book;
  readonly ranges: readonly NamedRange[];
  /** Where in the book the file of each line of the listing is. */
  readonly places: Uint32Array;
  /** Large files that changed before all of them was read. */
  readonly restarted: readonly Part[];
}

/**
 * Chooses by the ledger, from what the destination holds where the manifest says so, and else from
 * a listing of the source.
 */
export async function chooseByLedger(work: Verification, budget: NightlyBudget): Promise<Next> {
  const { book, unreadable } = await openFiles(work);
  const { scratch, session, options } = work;
  const { dryRun } = options;
  return {
    ...(await chooseIn(book, budget, { scratch, now: session.world.now(), dryRun })),
    unreadable,
  };
}

/** Chooses from the files of an open ledger. */
export async function chooseIn(
  book: Book,
  budget: NightlyBudget,
  work: { readonly scratch: string; readonly now: Date; readonly dryRun: boolean },
): Promise<Omit<Next, "unreadable">> {
  const { now, scratch, dryRun } = work;
  const known = knownBy(book, now);
  const choice = chooseNext(known, budget, dayOf(now));
  const { listed: count } = book;
  const pool = { files: count, bytes: known.sizes.subarray(0, count).reduce(plain, 0) };
  const names = choice.files === count && !dryRun ? undefined : join(scratch, "choice");
  const written = await writeChosen(book, choice, { now, names, listing: join(scratch, "chosen") });
  return {
    ...{ pool, book, ...written },
    files: choice.files + choice.ranges.length,
    wholeFiles: choice.files,
    bytes: choice.bytes,
    entries: () => readListing(written.listing),
    isChosen: () => true,
    listsAll: true,
  };
}

/**
 * What it took of the budget: what was chosen, and once more what was looked at a second time. To find a
 * file is a transaction, to read it another; all together are found by lists of a thousand. Nothing
 * without `looked`.
 */
export function spentOn(
  next: Next,
  looked: readonly CheckFinding[] | undefined,
): NextResult["spent"] {
  if (looked === undefined) return { files: 0, bytes: 0, transactions: 0 };
  const again = looked.reduce((sum, { size }) => plain(sum, size), 0);
  const found = next.list === undefined ? Math.ceil(next.files / perListing) : next.files;
  return {
    files: next.files,
    bytes: next.bytes + again,
    transactions: found + next.files + looked.length * transactionsPerFile,
  };
}

/** Names in one answer of a store that lists. */
const perListing = 1000;

function plain(sum: number, size: number): number {
  return sum + Math.max(size, 0);
}

async function openFiles(
  work: Verification,
): Promise<{ readonly book: Book; readonly unreadable: readonly Difference[] }> {
  const { session, files, options } = work;
  const open = { session, files, setAside: !options.dryRun };
  if (work.trusted) {
    try {
      const list: FileList = { kind: "manifest", file: files.manifest };
      return { book: await openBook({ ...open, list }), unreadable: [] };
    } catch (error) {
      // The next backup sets it aside and tells.
      if (!(error instanceof DamagedManifest)) throw error;
    }
  }
  const { file, unreadable } = await listSource(work);
  return { book: await openBook({ ...open, list: { kind: "listing", file } }), unreadable };
}

const tab = 9;

/** Writes the chosen files' lines, and their names for rclone unless all are chosen. */
async function writeChosen(
  book: Book,
  choice: NextChoice,
  to: { readonly now: Date; readonly names: string | undefined; readonly listing: string },
): Promise<Pick<Next, "ranges" | "places" | "restarted" | "list" | "listing">> {
  const lines = new LineSpool(to.listing);
  const names = to.names === undefined ? undefined : new LineSpool(to.names);
  const ranges: NamedRange[] = [];
  const places = new Uint32Array(choice.files);
  let written = 0;
  const restarted: Part[] = [];
  const wanted = new Map(choice.ranges.map((range) => [range.file, range] as const));
  const begun = byPath(book.parts.parts);
  const changed = byPath(book.parts.parts.filter((part) => placeOf(book, part) < 0));
  const since = dayText(dayOf(to.now));
  const onFile: Parameters<typeof eachFile>[1] = (place, bytes, start, end) => {
    if (choice.chosen[place] === 1) {
      lines.writeBytes(bytes, start, end);
      names?.writeBytes(bytes, start, bytes.indexOf(tab, start));
      places[written++] = place;
      return;
    }
    const range = wanted.get(place);
    if (range === undefined && changed.size === 0) return;
    const entry = parseEntry(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
    if (entry === undefined) return;
    const { path, size, time } = entry;
    const before = changed.get(path);
    const restart =
      before === undefined
        ? undefined
        : { ...{ path, size, time, since }, offset: 0, restarts: before.restarts + 1 };
    if (restart !== undefined) restarted.push(restart);
    if (range === undefined) return;
    ranges.push({
      entry,
      offset: range.offset,
      bytes: range.bytes,
      part: restart ?? begun.get(path),
    });
  };
  const { list } = book;
  if (list !== undefined) await eachFile(list, onFile);
  lines.close();
  names?.close();
  return { ranges, places, restarted, list: names?.file, listing: lines.file };
}

function byPath(parts: readonly Part[]): ReadonlyMap<RawPath, Part> {
  return new Map(parts.map((part) => [part.path, part]));
}
