import type { Entry } from "../../manifest/entry.ts";
import { dayOf, dayText } from "../../verify/days.ts";
import type { CheckFinding } from "../../verify/judge.ts";
import { textFromRaw } from "../../units/rawpath.ts";
import type { Part } from "../../verify/parts.ts";
import { compareRange, type RangeFinding } from "../../verify/range.ts";
import { endsOf, tellApart, type Confirmed } from "./confirm.ts";
import type { Verification } from "./verification.ts";

/** A range of a file of the manifest, and what is known of the file. */
export interface NamedRange {
  readonly entry: Entry;
  readonly offset: number;
  readonly bytes: number;
  /** Undefined where the file is begun with this range. */
  readonly part: Part | undefined;
}

export interface RangesRead extends Omit<Confirmed, "proved"> {
  /** As far as the files are proved now. */
  readonly parts: readonly Part[];
  /** The files of ranges that were not equal. */
  readonly unproved: readonly Entry[];
  readonly bytes: number;
  /** Files that are proved to their ends. */
  readonly files: number;
  readonly secondLooks: readonly CheckFinding[];
}

/** Reads ranges back one after the other, and looks a second time at those that are not equal. */
export async function readRanges(
  work: Verification,
  ranges: readonly NamedRange[],
): Promise<RangesRead> {
  const { now, events } = work.session.world;
  const parts: Part[] = [];
  const secondLooks: CheckFinding[] = [];
  const findings: CheckFinding[] = [];
  const unproved: Entry[] = [];
  const sum = { files: 0, bytes: 0 };
  for (const range of ranges) {
    const { entry, offset, bytes } = range;
    const first = await compare(work, range);
    let finding: RangeFinding | undefined;
    if (first !== undefined) {
      const { kind, reason } = first;
      const why = reason === undefined ? kind : `${kind} (${reason})`;
      events.detail(1, `${textFromRaw(entry.path)}: not equal at the first look: ${why}`);
      finding = await compare(work, range);
      secondLooks.push({ ...first, size: finding?.taken ?? bytes });
    }
    if (finding !== undefined) {
      findings.push(finding);
      unproved.push(entry);
      continue;
    }
    const { path, size, time } = entry;
    const since = range.part?.since ?? dayText(dayOf(now()));
    const restarts = range.part?.restarts ?? 0;
    parts.push({ ...{ path, size, time }, offset: offset + bytes, since, restarts });
    sum.bytes += bytes;
    if (offset + bytes === size) sum.files += 1;
  }
  return { parts, unproved, ...sum, secondLooks, ...(await tellApart(work, findings)) };
}

async function compare(
  work: Verification,
  { entry, offset, bytes }: NamedRange,
): Promise<RangeFinding | undefined> {
  const { events } = work.session.world;
  let done = 0;
  return compareRange({
    ...endsOf(work),
    signal: work.session.world.signal,
    ...{ path: entry.path, size: entry.size, offset, bytes },
    onBytes: (count) => {
      done += count;
      events.progress({
        ...{ stage: "verifying", doneFiles: 0, totalFiles: 1 },
        ...{ doneBytes: done, totalBytes: bytes, rate: undefined, etaSeconds: undefined },
      });
    },
  });
}
