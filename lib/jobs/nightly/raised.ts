import { exitCodes } from "../../errors.ts";
import {
  coverageOf,
  differenceOf,
  failureOf,
  missedOf,
  refusedOf,
  skippedOf,
  successOf,
  suppressedOf,
  unverifiedOf,
  warningOf,
  type BackupScene,
} from "../../notices/events.ts";
import { makeNotice, type Raised } from "../../notices/notice.ts";
import type { Judged } from "../../notices/decide.ts";
import { formatBytes, formatFiles } from "../../units/format.ts";
import { textFromRaw } from "../../units/rawpath.ts";
import type { BackupStatus } from "../status/value.ts";
import { badVerification, type NightBackup, type NightResult } from "./night.ts";

/** So many runs in a row that were skipped, or in which nothing was deleted, are too many. */
const tooOften = 3;

/** In so many days all of a backup should have been read back. */
const coverageDays = 90;
const dayMs = 86_400_000;

export interface RaisedOptions {
  readonly host: string;
  readonly now: Date;
}

/** Everything that somebody may want to hear of after a night, whoever has heard of it already. */
export function raisedBy(
  night: NightResult,
  backups: readonly BackupStatus[],
  { host, now }: RaisedOptions,
): Raised[] {
  const ran = new Map(night.backups.map((backup) => [backup.file, backup]));
  const known = new Set(backups.map(({ file }) => file));
  const sceneOf = ({ name }: { readonly name: string }): BackupScene => ({
    ...{ host, at: now, backup: name, argument: name },
  });
  return [
    ...wholeOf(night, { host, now }),
    ...backups.flatMap((backup) => {
      const scene = sceneOf(backup);
      return [...ofRun(scene, ran.get(backup.file), backup), ...ofState(scene, backup, now)];
    }),
    // Of one whose configuration is gone, nothing is known but how it ended.
    ...night.backups
      .filter(({ file }) => !known.has(file))
      .flatMap((backup) => ofRun(sceneOf(backup), backup, undefined)),
  ];
}

/** A run that could not begin at all, or not do all of its own work. */
function wholeOf(
  { message, hint, outcome, backups }: NightResult,
  { host, now }: RaisedOptions,
): Raised[] {
  if (message === undefined || outcome === "skipped") return [];
  const notice = makeNotice(
    { host, at: now, backup: undefined },
    "failure",
    backups.length === 0 ? "no backup was run" : "the run of all backups did not end well",
    [message, hint === undefined ? undefined : `Hint: ${hint}`],
    { exit_code: exitCodes[outcome] },
  );
  return [{ notice, fingerprint: outcome }];
}

/** What the run of tonight is worth telling. */
function ofRun(
  scene: BackupScene,
  ran: NightBackup | undefined,
  status: Pick<BackupStatus, "good" | "guard" | "unverified"> | undefined,
): Raised[] {
  if (ran === undefined) return [];
  const { outcome, hint, failures: files, failureCount: fileCount } = ran;
  // A run that had no turn to read back leaves open what failed before it.
  const unverified = badVerification(ran.verifications) ?? status?.unverified[0];
  const unread =
    unverified === undefined
      ? undefined
      : (unverified.message ?? "verification: no reason is known");
  const lastGood = status?.good?.finishedAt;
  const facts = { exit_code: exitCodes[outcome] };
  switch (outcome) {
    case "done":
      return [
        ran.result === "warning"
          ? warningOf(scene, ran.warnings, facts)
          : successOf(scene, summaryOf(ran), facts),
        ...(unverified === undefined || unread === undefined
          ? []
          : [unverifiedOf(scene, unread, { exit_code: exitCodes[unverified.outcome] })]),
      ];
    case "refused": {
      const { refusedPlan: plan, message = "" } = ran;
      const kinds = status?.guard.refused?.kinds ?? [];
      return [refusedOf(scene, { message, hint, plan, kinds, lastGood }, facts)];
    }
    case "failed":
    case "usage":
    case "partial":
    case "difference": {
      const message = [ran.message, unread].filter((text) => text !== undefined).join("\n");
      return [
        failureOf(
          scene,
          { exitCode: exitCodes[outcome], message, hint, files, fileCount, lastGood },
          facts,
        ),
      ];
    }
    case "skipped":
    case "interrupted":
      return [];
  }
}

/** One line of what a good run did. */
function summaryOf({ counts }: Pick<NightBackup, "counts">): string {
  if (counts === undefined) return "";
  const { source, added, changed, deleted } = counts;
  return `${formatFiles(source.files)} (${formatBytes(source.bytes)}): ${added.files} new, ${changed.files} changed, ${deleted.files} deleted`;
}

/** What lasts, whether the backup ran tonight or not. */
function ofState(scene: BackupScene, backup: BackupStatus, now: Date): Raised[] {
  const { overdueSince, good, attempt, differences, guard, running } = backup;
  const raised: Raised[] = [];
  if (overdueSince !== undefined && guard.pausedSince === undefined)
    raised.push(missedOf(scene, overdueSince, good?.finishedAt, running?.since));
  if (attempt !== undefined && attempt.skippedRuns >= tooOften)
    raised.push(
      skippedOf(
        scene,
        attempt.skippedRuns,
        attempt.message ?? "no reason is known",
        good?.finishedAt,
      ),
    );
  if (guard.suppressed !== undefined && guard.suppressed.runs >= tooOften)
    raised.push(suppressedOf(scene, guard.suppressed.runs, guard.suppressed.since));
  if (differences.length > 0)
    raised.push(
      differenceOf(
        scene,
        differences.map((path) => ({ path: textFromRaw(path), reason: "differs from the source" })),
        differences.length,
      ),
    );
  const behind = coverageBehind(backup, now);
  if (behind !== undefined) raised.push(coverageOf(scene, behind));
  return raised;
}

/** Why not all of a backup will have been read back in time; undefined if it will. */
export function coverageBehind(
  { verified, neverReadSince }: Pick<BackupStatus, "verified" | "neverReadSince">,
  now: Date,
): string | undefined {
  const expected = `expected every byte to be read back within ${coverageDays} days`;
  const daysSince = (time: string): number =>
    Math.floor((now.getTime() - Date.parse(time)) / dayMs);
  if (verified === undefined)
    return neverReadSince !== undefined && daysSince(neverReadSince) > coverageDays
      ? `${expected}, found that none of it was since the first run on ${neverReadSince}`
      : undefined;
  const { all, never, oldest } = verified;
  if ("never" in all) return `${expected}, found that it won't be: ${all.never}`;
  if ("date" in all) {
    const days = Math.ceil((Date.parse(all.date) - now.getTime()) / dayMs);
    if (days > coverageDays)
      return `${expected}, found that ${formatFiles(never.files)} (${formatBytes(never.bytes)}) never were, and at this budget will be on ${all.date}`;
  }
  const since = "since" in all ? all.since : oldest;
  if (since === undefined) return undefined;
  return daysSince(since) > coverageDays
    ? `${expected}, found some that was read back last on ${since}`
    : undefined;
}

/**
 * What a night says something of: of a backup that did not run, only what lasts; of the whole only if
 * something was run. `backups` are those of which a state is known.
 */
export function judgedBy(night: NightResult, backups: readonly BackupStatus[]): Judged {
  const told = new Set(
    night.backups
      .filter(({ outcome }) => outcome !== "skipped" && outcome !== "interrupted")
      .map(({ name }) => name),
  );
  const known = new Set(backups.map(({ name }) => name));
  const lasting = ["missed", "skipped", "suppressed", "difference", "coverage"];
  const isOfWhole = night.backups.length > 0 || night.message !== undefined;
  return (event, backup) => {
    if (backup === undefined) return isOfWhole;
    return lasting.includes(event) ? known.has(backup) : told.has(backup);
  };
}
