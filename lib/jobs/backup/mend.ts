import { join } from "node:path";
import { formatEntry, unchanged, type Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { merge, onePage, type Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import { againArgs } from "../../rclone/argv.ts";
import { runRclone } from "../../rclone/run.ts";
import { formatFiles } from "../../units/format.ts";
import { textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { check } from "../../verify/check.ts";
import { readMendList, writeMendList } from "../mendlist.ts";
import { keepProof, wholeFiles } from "../verify/keep.ts";
import { warn, type Run } from "./run.ts";
import { progressOf } from "../statistics.ts";
import type { Survey } from "./survey.ts";

/**
 * Which of the files that a verification found different are still what was backed up. A file that
 * changed since is uploaded by the sync as it is. Ask before the sync: after it, all are the same.
 */
export async function toMend(run: Run, seen: Survey): Promise<readonly Entry[]> {
  const listed = await readMendList(run.files);
  if (listed.length === 0) return [];
  const wanted = onePage(listed.map((path) => ({ path })));
  const same: Entry[] = [];
  for await (const page of merge(wanted, unchangedEntries(seen))) {
    for (const [wish, entry] of page)
      if (wish !== undefined && entry !== undefined) same.push(entry);
  }
  return same;
}

/** Listed files that the destination should hold as they are; all, where nobody knows what it holds. */
async function* unchangedEntries(seen: Survey): Pages<Entry> {
  const known = seen.planned.plan.from === "manifest";
  for await (const page of merge(seen.planned.held(), readListing(seen.listing.file))) {
    yield page.flatMap(([before, now]) => {
      if (now === undefined) return [];
      const same = before === undefined ? !known : unchanged(before, now);
      return same ? [now] : [];
    });
  }
}

/**
 * Uploads files again whose stored copy a verification found different: a damaged file whose size
 * and time are right would stay damaged through every later sync.
 * Returns how many were mended and verified; what could not be is a warning and tried again.
 */
export async function mend(
  run: Run,
  damaged: readonly Entry[],
  sync: { readonly clean: boolean },
): Promise<number> {
  const { session, files, scratch } = run;
  // A clean sync has replaced what changed since; after any other, such a file may still be damaged.
  const open = sync.clean ? [] : without(await readMendList(files), damaged);
  if (damaged.length > 0 && !session.backup.verify.mend) {
    await writeMendList(files, [...open, ...damaged.map(({ path }) => path)]);
    warn(
      run,
      `${formatFiles(damaged.length)} damaged at the destination, and [verify] mend is off: ${sample(damaged)}`,
    );
    return 0;
  }
  if (damaged.length === 0) {
    await writeMendList(files, open);
    return 0;
  }
  const list = new LineSpool(join(scratch, "mend"));
  for (const { path } of damaged) list.write(path);
  list.close();
  const ends = { source: session.source, destination: session.destination, filesFrom: list.file };
  await runRclone(session.rclone, {
    args: againArgs({ ...ends, statsEvery: 1 }, session.tuning),
    signal: session.world.signal,
    onLog: (record) => {
      if (record.stats !== undefined)
        session.world.events.progress(progressOf("mending", record.stats));
      if (record.level === "error") session.world.events.detail(1, record.message);
    },
  });
  // Whatever rclone says of the upload: what counts is what can be read back.
  const { findings } = await check({
    ...ends,
    rclone: session.rclone,
    tuning: session.tuning,
    kind: "download",
    chosen: onePage(damaged),
    scratch,
    signal: session.world.signal,
    onStats: (stats) => session.world.events.progress(progressOf("mending", stats)),
  });
  await writeMendList(files, [...open, ...findings.map(({ path }) => path)]);
  await keepMended(run, damaged, findings);
  if (findings.length > 0)
    warn(
      run,
      `${formatFiles(findings.length)} damaged and not mended, the next run tries again: ${sample(findings)}`,
    );
  return damaged.length - findings.length;
}

/** What was read back just now is no longer what was never verified. */
async function keepMended(
  { session, files, scratch }: Run,
  damaged: readonly Entry[],
  findings: readonly { readonly path: RawPath }[],
): Promise<void> {
  const lines = new LineSpool(join(scratch, "mended"));
  for (const entry of damaged) lines.write(formatEntry(entry));
  lines.close();
  await keepProof(
    { session, files, list: undefined, setAside: true },
    {
      ...wholeFiles,
      compared: { listing: lines.file, isChosen: () => true },
      differences: new Set(findings.map(({ path }) => path)),
    },
  );
}

function without(
  paths: readonly RawPath[],
  others: readonly { readonly path: RawPath }[],
): readonly RawPath[] {
  const known = new Set(others.map(({ path }) => path));
  return paths.filter((path) => !known.has(path));
}

function sample(files: readonly { readonly path: RawPath }[]): string {
  const names = files
    .slice(0, 5)
    .map(({ path }) => textFromRaw(path))
    .join(", ");
  return files.length > 5 ? `${names}, …` : names;
}
