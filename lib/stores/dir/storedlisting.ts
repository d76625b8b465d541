import { interrupted } from "../../errors.ts";
import { NotStarted, runGroup } from "../../process/group.ts";
import { sortLines } from "../../process/sort.ts";
import { plainListing, type StoredPlace } from "./stored.ts";

export interface StoredListing {
  /** Where the sorted listing is written. */
  readonly output: string;
  readonly scratch: string;
  /** Whether files at the top are left out. */
  readonly below: boolean;
  /** Leading bytes of each path that don't count for the order. */
  readonly sortFrom: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Lists the plain files of a place whose names are opaque into a sorted file, as listFiles does, by find(1), which takes a
 * sixth of the time. Returns false where find isn't there, is not that of GNU, or had anything to tell: rclone should be asked then,
 * which says what is wrong. Throws interrupted(), and what sorting throws.
 */
export async function listStored(
  { location, names }: StoredPlace,
  { output, scratch, below, sortFrom, signal }: StoredListing,
): Promise<boolean> {
  let told = false;
  const listing = runGroup({
    command: [
      ...["find", "-P", `${location}/.`, "-mindepth", below ? "2" : "1", "-type", "f"],
      ...["-printf", "%P\\t%s\\t%TY-%Tm-%TdT%TH:%TM:%TS\\n"],
    ],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    signal,
    takeStdout: async (lines) =>
      sortLines(plainListing(names, lines, asRclone), output, scratch, { from: sortFrom, signal }),
    onStderr: () => (told = true),
  });
  const { code } = await listing.catch((error: unknown) => {
    if (error instanceof NotStarted) return { code: undefined };
    throw error;
  });
  if (signal?.aborted) throw interrupted("stopped by a signal while files were listed");
  return code === 0 && !told;
}

/** A time in UTC as find writes it, in RFC 3339 without zeros at the end. */
function asRclone(time: string): string {
  let end = time.length;
  if (time.includes(".")) {
    while (time[end - 1] === "0") end -= 1;
    if (time[end - 1] === ".") end -= 1;
  }
  return `${time.slice(0, end)}Z`;
}
