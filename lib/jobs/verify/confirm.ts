import { join } from "node:path";
import { unchanged, type Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { merge, onePage, type Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import { listFiles } from "../../rclone/listing.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { check, type CheckRequest } from "../../verify/check.ts";
import type { CheckFinding } from "../../verify/judge.ts";
import type { Difference, Verification } from "./verification.ts";

/** What became of the files that a first look did not find equal. */
export interface Confirmed {
  /** Found equal at the second look. */
  readonly proved: { readonly files: number; readonly bytes: number };
  readonly differences: readonly Difference[];
  readonly errors: readonly Difference[];
  readonly changed: readonly RawPath[];
}

/** The parts of a check that are the same in both looks. */
export function endsOf(
  work: Verification,
): Pick<CheckRequest, "rclone" | "tuning" | "source" | "destination" | "scratch" | "signal"> {
  const { session, scratch } = work;
  const { rclone, tuning, source, destination, world } = session;
  return { rclone, tuning, source, destination, scratch, signal: world.signal };
}

/**
 * Looks a second time at what was not equal, and tells apart what changed since the backup (which
 * proves nothing) from what the destination holds wrongly.
 */
export async function confirm(
  work: Verification,
  findings: readonly CheckFinding[],
): Promise<Confirmed> {
  if (findings.length === 0)
    return { proved: { files: 0, bytes: 0 }, differences: [], errors: [], changed: [] };
  const second = await check({
    ...endsOf(work),
    kind: work.kind,
    filesFrom: writePaths(join(work.scratch, "again"), findings),
    chosen: onePage(findings),
  });
  return { proved: second.verified, ...(await tellApart(work, second.findings)) };
}

/** What of that which was not equal in two looks is wrong, and what has changed since the backup. */
export async function tellApart(
  work: Verification,
  findings: readonly CheckFinding[],
): Promise<Omit<Confirmed, "proved">> {
  const backedUp = await backedUpPaths(work, findings);
  const wrong = findings.filter(({ path }) => backedUp.has(path));
  return {
    differences: wrong.filter((finding) => !isError(finding)).map(difference),
    errors: wrong.filter(isError).map(difference),
    changed: findings.filter(({ path }) => !backedUp.has(path)).map(({ path }) => path),
  };
}

/** These prove nothing wrong at the destination, so nothing is uploaded again for them. */
function isError({ kind }: CheckFinding): boolean {
  return kind === "error" || kind === "unanswered" || kind === "unhashed";
}

function difference({ path, kind, reason }: CheckFinding): Difference {
  return { path, kind, reason };
}

function writePaths(file: string, findings: readonly CheckFinding[]): string {
  const spool = new LineSpool(file);
  for (const { path } of findings) spool.write(path);
  spool.close();
  return file;
}

/** Which of the files are in the source now as they were when they were backed up. */
async function backedUpPaths(
  work: Verification,
  findings: readonly CheckFinding[],
): Promise<ReadonlySet<RawPath>> {
  const same = new Set<RawPath>();
  if (findings.length === 0) return same;
  const now = await listAgain(work, "source", findings);
  if (work.manifest === undefined) return sameByDestination(work, findings, now);
  try {
    for await (const page of merge(readManifest(work.files.manifest), now())) {
      for (const [before, current] of page) {
        if (before === undefined || current === undefined) continue;
        if (unchanged(before, current)) same.add(current.path);
      }
    }
    return same;
  } catch (error) {
    // Its first lines were whole; the next backup sets it aside and tells.
    if (error instanceof DamagedManifest) return sameByDestination(work, findings, now);
    throw error;
  }
}

/**
 * Without a manifest, the destination's own times tell: a copy carries the time of what was copied,
 * or that of its upload, so a source that is not younger has not changed since. A file that is not
 * there at all is missing, as far as anyone can know.
 */
async function sameByDestination(
  work: Verification,
  findings: readonly CheckFinding[],
  now: () => Pages<Entry>,
): Promise<ReadonlySet<RawPath>> {
  const same = new Set<RawPath>();
  const missing = new Set(
    findings.filter(({ kind }) => kind === "missing").map(({ path }) => path),
  );
  const stored = await listAgain(work, "destination", findings);
  for await (const page of merge(stored(), now())) {
    for (const [there, here] of page) {
      if (here === undefined) continue;
      if (there === undefined ? missing.has(here.path) : notYounger(here.time, there.time))
        same.add(here.path);
    }
  }
  return same;
}

/** Stores keep times in nanoseconds, milliseconds or seconds. */
function notYounger(here: string, there: string): boolean {
  return Date.parse(here) - Date.parse(there) < 1000;
}

async function listAgain(
  work: Verification,
  what: "source" | "destination",
  findings: readonly CheckFinding[],
): Promise<() => Pages<Entry>> {
  const { session, scratch } = work;
  const listing = await listFiles(session.rclone, session.features, session.tuning, {
    location: session[what],
    filterFile: undefined,
    filesFrom: writePaths(join(scratch, `again.${what}`), findings),
    output: join(scratch, `again.${what}.listing`),
    scratch,
    signal: session.world.signal,
    what,
  });
  return () => readListing(listing.file);
}
