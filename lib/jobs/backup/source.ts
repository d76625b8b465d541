import { stat } from "node:fs/promises";
import { join } from "node:path";
import { failed, refused, systemCode, usage, type Failure } from "../../errors.ts";
import { observeMounts } from "../../guard/mountinfo.ts";
import type { SourceMounts } from "../../guard/mounts.ts";
import { redactLocation } from "../../rclone/location.ts";
import { listFiles, LocationMissing, type Listing } from "../../rclone/listing.ts";
import { quickRules } from "../../rclone/filters.ts";
import { rulesOf, writeRules } from "../filterfile.ts";
import type { Run } from "./run.ts";
import { leaveOutTooLong, type TooLong } from "./toolong.ts";

/** What one look at the source finds. */
export interface SourceLook {
  readonly listing: Listing;
  /** When the listing began: a file modified since may not be what was listed. */
  readonly listedAt: Date;
  readonly filterFile: string;
  /** Files that the destination can't hold: neither in the listing nor in what is synced. */
  readonly tooLong: TooLong;
  /** Before the listing and after it; undefined where the system does not tell, or the source is remote. */
  readonly mountsBefore: SourceMounts | undefined;
  readonly mounts: SourceMounts | undefined;
}

/** Lists the source, and says what was mounted there. Throws when it is missing or can't be listed. */
export async function lookAtSource(run: Run): Promise<SourceLook> {
  const { session } = run;
  await requireSource(run);
  const rules = await rulesOf(session);
  const filterFile = await writeRules(run.scratch, "rules", rules);
  const mountsBefore = await mountsNow(run);
  const listedAt = session.world.now();
  session.world.events.progress({
    stage: "listing",
    doneFiles: 0,
    totalFiles: undefined,
    doneBytes: 0,
    totalBytes: undefined,
    rate: undefined,
    etaSeconds: undefined,
  });
  const listed = await listFiles(session.rclone, session.features, session.tuning, {
    location: session.source,
    filterFile: await writeRules(run.scratch, "listing.rules", quickRules(rules)),
    output: join(run.scratch, "listing"),
    scratch: run.scratch,
    signal: session.world.signal,
    what: "source",
  }).catch((error: unknown) => {
    throw error instanceof LocationMissing
      ? missingSource(run, redactLocation(session.backup.source), error)
      : error;
  });
  const mounts = await mountsNow(run);
  const { listing, tooLong } = await leaveOutTooLong(run, listed);
  if (tooLong.count > 0) await writeRules(run.scratch, "rules", [...tooLong.rules, ...rules]);
  return { listing, listedAt, filterFile, tooLong, mountsBefore, mounts };
}

/** What is mounted in a local source now; undefined where nobody knows. */
export async function mountsNow({ session }: Run): Promise<SourceMounts | undefined> {
  return session.localSource === undefined ? undefined : observeMounts(session.localSource);
}

/** Refused after a good run, for a disk may not be mounted; else a wrong setting. */
function missingSource(run: Run, place: string, cause: unknown): Failure {
  const files = run.record?.good?.files ?? 0;
  if (files === 0)
    return usage(`source: expected a directory, found nothing at ${place}`, {
      hint: `check source in ${run.session.backup.file}`,
      cause,
    });
  return refused(
    `source: expected the directory ${place} with ${files} files as in the last good run, found nothing there (not mounted?)`,
    {
      hint: "mount it and run the backup again; nothing at the destination was changed",
      cause,
    },
  );
}

/** Throws when a local source is missing, no directory, or can't be looked at. */
async function requireSource(run: Run): Promise<void> {
  const { localSource, backup } = run.session;
  if (localSource === undefined) return;
  try {
    if ((await stat(localSource)).isDirectory()) return;
  } catch (error) {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") {
      throw failed(
        `source: expected a directory that can be read at ${localSource}, found none: ${systemCode(error) ?? "unknown error"}`,
        { cause: error },
      );
    }
    throw missingSource(run, localSource, error);
  }
  throw usage(`source: expected a directory, found something else at ${localSource}`, {
    hint: `check source in ${backup.file}`,
  });
}
