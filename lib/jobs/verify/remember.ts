import { DamagedManifest } from "../../manifest/manifest.ts";
import type { RawPath } from "../../units/rawpath.ts";
import type { Coverage } from "../../verify/coverage.ts";
import type { FileList } from "../../verify/filelist.ts";
import { readMendList, writeMendList } from "../mendlist.ts";
import type { Choice } from "./choice.ts";
import { keepProof } from "./keep.ts";
import type { Next } from "./next.ts";
import type { RangesRead } from "./ranges.ts";
import type { Difference, Verification } from "./verification.ts";

/** What a verification chose and what came of it. */
export interface Came {
  readonly choice: Choice;
  /** The choice, where it was made by the ledger. */
  readonly next: Next | undefined;
  /** What came of the ranges of large files. */
  readonly read: RangesRead;
  readonly differences: readonly Difference[];
  readonly errors: readonly Difference[];
  readonly changed: readonly RawPath[];
}

/** Keeps the list of files to mend and the ledger. Returns what is covered, where all of it is known. */
export async function remember(work: Verification, came: Came): Promise<Coverage | undefined> {
  await keepMendList(work, came);
  const { session, files, kind, trusted } = work;
  const { choice, next, read, differences, errors, changed } = came;
  const content = kind === "download";
  const allThere = choice.listsAll && (choice.gone === undefined || choice.gone.files === 0);
  const everyHash = !content && allThere && choice.list === undefined;
  const nothing = choice.wholeFiles === 0;
  // Checksums prove nothing for the ledger; what they find wrong counts.
  if (next === undefined && (nothing || (!content && !everyHash && differences.length === 0)))
    return undefined;
  const listing: FileList | undefined = choice.listsAll
    ? { kind: "listing", file: choice.listing }
    : undefined;
  const list: FileList | undefined =
    next?.book.list ?? (trusted ? { kind: "manifest", file: files.manifest } : listing);
  const proof = {
    compared: { listing: choice.listing, isChosen: choice.isChosen, places: next?.places },
    differences: new Set(differences.map(({ path }) => path)),
    open: new Set([...errors.map(({ path }) => path), ...changed]),
    ranges: read.parts,
    unproved: read.unproved,
    restarted: next?.restarted ?? [],
    ...{ content, everyHash, complete: errors.length === 0, rest: next !== undefined },
  };
  const open = { session, files, setAside: true };
  try {
    return await keepProof({ ...open, list }, proof, next?.book);
  } catch (error) {
    // The next backup sets it aside and tells. What was proved is proved all the same.
    if (!(error instanceof DamagedManifest)) throw error;
    const compared = { ...proof.compared, places: undefined };
    return keepProof({ ...open, list: listing }, { ...proof, compared });
  }
}

/** What was found different goes on the list of files to mend, what was proved comes off. */
async function keepMendList(work: Verification, came: Came): Promise<void> {
  const { choice, differences, errors, changed, read } = came;
  const listed = new Set(await readMendList(work.files));
  if (listed.size === 0 && differences.length === 0) return;
  const open = new Set([...errors.map(({ path }) => path), ...changed]);
  const off = new Set<RawPath>();
  if (choice.wholeFiles > 0)
    for await (const page of choice.entries())
      for (const { path } of page) if (listed.has(path) && !open.has(path)) off.add(path);
  for (const { path, offset, size } of read.parts) if (offset === size) off.add(path);
  // Read again: a verification beside this one may have ended meanwhile.
  const known = (await readMendList(work.files)).filter((path) => !off.has(path));
  await writeMendList(work.files, [...known, ...differences.map(({ path }) => path)]);
}
