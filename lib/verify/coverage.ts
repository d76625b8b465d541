import * as v from "valibot";
import { count, isCount, type Count } from "../state/count.ts";
import { readJson, writeJson, type ReadJson } from "../state/jsonfile.ts";
import { formatFiles } from "../units/format.ts";
import { dayOf, dayText } from "./days.ts";

const moment = v.pipe(v.string(), v.isoTimestamp());

interface Day extends Count {
  /** Such as 2026-01-31. */
  readonly day: string;
}

const schema = v.object({
  version: v.literal(1),
  /** When it was written. */
  at: moment,
  total: count,
  /** Never read back as they are now; of large files the bytes too that were. */
  never: count,
  /** Of `never`: large files of which some was read back, and how many bytes. */
  begun: v.optional(count),
  /** What was last read back on which day of UTC, the oldest first. */
  days: v.custom<readonly Day[]>((value) => Array.isArray(value) && value.every(isDay)),
  /** Of `never`: what the nightly verification can't read, or did not before it changed. */
  uncoverable: count,
  /** When the checksums of everything were last compared. */
  hash: v.optional(v.object({ at: moment })),
  /** When a verification last ended that could compare all it chose: of contents, and of all checksums. */
  complete: v.optional(v.object({ content: v.optional(moment), hash: v.optional(moment) })),
});

/** A schema of its own for each day would take most of the time that a status takes to read coverage. */
function isDay(value: unknown): value is Day {
  return (
    isCount(value) &&
    "day" in value &&
    typeof value.day === "string" &&
    v.ISO_DATE_REGEX.test(value.day)
  );
}

/** The ledger in sums: how much of a backup was read back when. */
export type Coverage = v.InferOutput<typeof schema>;

/** Reads coverage.json; undefined where there is none, or none that can be understood. */
export async function readCoverage(file: string): Promise<Coverage | undefined> {
  return (await readJson(file, schema, { setAside: false })).value;
}

/** As readCoverage, for the one who writes it: a damaged file is set aside and told. */
export async function takeCoverage(file: string): Promise<ReadJson<Coverage>> {
  return readJson(file, schema, { setAside: true });
}

/** Writes coverage.json: a temporary name, synced, renamed. */
export async function writeCoverage(file: string, coverage: Coverage): Promise<void> {
  await writeJson(file, coverage);
}

/**
 * The share (0 to 1) of files and bytes that were read back today or within so many days before, by
 * the days of UTC. All of nothing is 1.
 */
export function verifiedWithin(
  { total, days: all }: Coverage,
  days: number,
  now: Date,
): { readonly files: number; readonly bytes: number } {
  const today = dayOf(now);
  // Days are written so that their texts have the same order.
  const [first, last] = [dayText(Math.max(today - days, 1)), dayText(today)];
  const counted = { files: 0, bytes: 0 };
  for (const { day, files, bytes } of all) {
    if (day < first || day > last) continue;
    counted.files += files;
    counted.bytes += bytes;
  }
  const share = (what: "files" | "bytes"): number =>
    total[what] === 0 ? 1 : counted[what] / total[what];
  return { files: share("files"), bytes: share("bytes") };
}

/** The day of UTC of the oldest verification that still holds; undefined where there is none. */
export function oldestProof({ days }: Coverage): string | undefined {
  return days[0]?.day;
}

/** A seventh of a number is not exact. */
const rounding = 1e-9;

/** When every byte will have been read back. */
export type AllVerified =
  /** On this day, if nothing changes meanwhile. */
  | { readonly date: string }
  /** All was; the longest ago on this day. */
  | { readonly since: string }
  /** Never, and why. */
  | { readonly never: string };

/**
 * The day on which all will have been read back with so many bytes a day and, where they count, files. Both
 * may be parts of one: less than one a day is one in several days.
 */
export function allVerifiedBy(
  { at, never, begun, uncoverable, days }: Coverage,
  bytesPerDay: number,
  now: Date,
  filesPerDay = Infinity,
): AllVerified {
  if (uncoverable.files > 0)
    return {
      never: `${formatFiles(uncoverable.files)} changed before all of it could be read, or can't be read in parts`,
    };
  if (never.files === 0) return { since: days[0]?.day ?? at.slice(0, 10) };
  if (bytesPerDay <= 0 || filesPerDay <= 0) return { never: "the budget is 0" };
  const nights = Math.max(
    Math.ceil((never.bytes - (begun?.bytes ?? 0)) / bytesPerDay - rounding),
    Math.ceil(never.files / filesPerDay - rounding),
    1,
  );
  const date = dayOf(now) + nights;
  return date > 0xffff
    ? { never: "the budget is too small: it would take more than a century" }
    : { date: dayText(date) };
}
