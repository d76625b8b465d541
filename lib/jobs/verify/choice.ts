import { join } from "node:path";
import { listingBytes, noListing, readListing } from "../../manifest/listingfile.ts";
import type { Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import { listFiles } from "../../rclone/listing.ts";
import { ageCutoff, parseAge } from "../../units/age.ts";
import type { AgeCondition } from "../../units/condition.ts";
import { rawFromText } from "../../units/rawpath.ts";
import type { Chosen } from "../../verify/judge.ts";
import { lineSize, scanLines } from "../../verify/keys.ts";
import { seededRandom } from "../../verify/random.ts";
import { budgetOf, select, type Selection } from "../../verify/select.ts";
import { goneFrom } from "./gone.ts";
import type { Difference, Gone, Verification } from "./verification.ts";

/** The files that a verification will read back. */
export interface Choice {
  readonly pool: { readonly files: number; readonly bytes: number };
  readonly files: number;
  readonly bytes: number;
  /** Of the files, those that are read from beginning to end. */
  readonly wholeFiles: number;
  /** A --files-from-raw file; undefined when the whole source is chosen. */
  readonly list: string | undefined;
  /** Places of the source that could not be listed: what is in them is not verified. */
  readonly unreadable: readonly Difference[];
  /** Sorted by path. */
  readonly entries: () => Pages<Chosen>;
  /** A sorted listing of path, size and time, and which of its lines are chosen. */
  readonly listing: string;
  readonly isChosen: (line: number) => boolean;
  /** Whether the listing has all that is backed up. */
  readonly listsAll: boolean;
  /** What the backup holds besides; undefined where that can't be told. */
  readonly gone?: Gone | undefined;
}

/** Lists the source and chooses. Only sizes are kept in memory; the names stay in the listing. */
export async function choose(work: Verification): Promise<Choice> {
  const { session, options, scratch } = work;
  const { conditions } = options;
  const maxAge =
    conditions.age === undefined ? undefined : since(conditions.age, session.world.now());
  const listing = await listSource(work, maxAge);
  const sizes = await readSizes(listing.file);
  const pool = { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  const selection = select(sizes, budgetOf(conditions, pool), seededRandom(options.seed));
  const everything = selection.files === sizes.length && conditions.age === undefined;
  const listsAll = conditions.age === undefined && listing.complete;
  const entries = (): Pages<Chosen> => chosenEntries(listing.file, selection);
  const list = everything ? undefined : await writeList(join(scratch, "choice"), entries());
  return {
    pool,
    ...{ files: selection.files, wholeFiles: selection.files, bytes: selection.bytes },
    ...{ list, entries },
    unreadable: listing.unreadable,
    listing: listing.file,
    isChosen: (line) => selection.chosen[line] === 1,
    ...{ listsAll, gone: listsAll ? await goneFrom(work, listing.file) : undefined },
  };
}

/** Lists the source under the filters into the scratch directory. */
export async function listSource(
  { session, scratch, filterFile }: Verification,
  maxAge?: string,
): Promise<{
  readonly file: string;
  readonly complete: boolean;
  readonly unreadable: readonly Difference[];
}> {
  const { file, complete, unreadable } = await listFiles(
    session.rclone,
    session.features,
    session.tuning,
    {
      location: session.source,
      ...{ filterFile, maxAge, scratch },
      output: join(scratch, "listing"),
      signal: session.world.signal,
      what: "source",
    },
  );
  const kind = "error" as const;
  return {
    ...{ file, complete },
    unreadable: unreadable.map(({ path, reason }) => ({ path: rawFromText(path), kind, reason })),
  };
}

/** rclone refuses some of the spans that we take, so it gets a moment; it knows none before year 1. */
function since(age: AgeCondition, now: Date): string | undefined {
  const cutoff = ageCutoff(parseAge(age.spec), now);
  return cutoff.getUTCFullYear() < 1 ? undefined : cutoff.toISOString();
}

async function readSizes(file: string): Promise<Float64Array> {
  let sizes = new Float64Array(1024);
  let length = 0;
  await scanLines(listingBytes(file), (bytes, start, end) => {
    const size = lineSize(bytes, start, end);
    if (size === undefined) throw noListing();
    if (length === sizes.length) {
      const wider = new Float64Array(length * 2);
      wider.set(sizes);
      sizes = wider;
    }
    sizes[length] = Math.max(size, 0);
    length += 1;
  });
  return sizes.subarray(0, length);
}

async function* chosenEntries(listing: string, selection: Selection): Pages<Chosen> {
  let at = 0;
  for await (const page of readListing(listing)) {
    yield page.filter((_, offset) => selection.chosen[at + offset] === 1);
    at += page.length;
  }
}

async function writeList(file: string, entries: Pages<Chosen>): Promise<string> {
  const spool = new LineSpool(file);
  for await (const page of entries) for (const { path } of page) spool.write(path);
  spool.close();
  return file;
}
