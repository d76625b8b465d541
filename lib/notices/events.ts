import { formatFiles } from "../units/format.ts";
import { shellWords } from "../units/shellwords.ts";
import { digest, withoutNumbers } from "./fingerprint.ts";
import type { Facts, Raised, Scene } from "./notice.ts";
import { makeNotice, shownTime } from "./notice.ts";

/** Where and when a backup is noticed. */
export interface BackupScene extends Scene {
  readonly backup: string;
  /** What a command takes for this backup: its name, or the path of its configuration. */
  readonly argument: string;
}

/** A file that something happened to; all texts may be raw. */
export interface NoticedFile {
  readonly path: string;
  readonly reason: string;
}

/** How many files a notice lists. */
const mostFiles = 20;

/** A run that was good. `summary` is the line that the run ends with. */
export function successOf(scene: BackupScene, summary: string, facts: Facts = {}): Raised {
  return raise(
    makeNotice(scene, "success", "backed up", [about(scene, "went well"), summary], facts),
  );
}

/** A run that was good, but. */
export function warningOf(
  scene: BackupScene,
  warnings: readonly string[],
  facts: Facts = {},
): Raised {
  return raise(
    makeNotice(
      scene,
      "warning",
      "backed up with warnings",
      [about(scene, "went well, with warnings"), indented(warnings), status],
      { ...facts, warnings: warnings.length },
    ),
    digest(warnings.map(withoutNumbers)),
  );
}

export interface FailureFacts {
  readonly exitCode: number;
  readonly message: string;
  readonly hint: string | undefined;
  /** Some of the files that failed, and how many there were. */
  readonly files: readonly NoticedFile[];
  readonly fileCount: number;
  /** When the last good run ended, RFC 3339. */
  readonly lastGood: string | undefined;
}

/** A run that failed, in whole (1, 2) or in part (3). */
export function failureOf(scene: BackupScene, seen: FailureFacts, facts: Facts = {}): Raised {
  const { exitCode, message, hint, files, fileCount } = seen;
  const part = exitCode === 3;
  return raise(
    makeNotice(
      scene,
      "failure",
      part ? `backed up in part, ${formatFiles(fileCount)} failed` : "the backup failed",
      [
        about(scene, `${part ? "was done in part" : "failed"} (exit code ${exitCode})`),
        indented([message]),
        hint === undefined ? undefined : `Hint: ${hint}`,
        listed("failed", files, fileCount),
        goodSince(seen.lastGood),
        typed("To run it again and see more:", ["rclone-backup", "-v", scene.argument]),
        status,
      ],
      { ...facts, exit_code: exitCode, message, files_failed: fileCount },
    ),
    String(part),
  );
}

/** A verification that could not be done, or not all of it; the backup itself went as it went. */
export function unverifiedOf(scene: BackupScene, message: string, facts: Facts = {}): Raised {
  return raise(
    makeNotice(
      scene,
      "failure",
      "the verification failed",
      [
        about(scene, "was not verified as it should have been"),
        indented([message]),
        typed("To verify some of it again:", [
          ...["rclone-backup", "-v", "--verify-next", "100M"],
          scene.argument,
        ]),
        status,
      ],
      { ...facts, message },
    ),
    "verification",
  );
}

export interface RefusedFacts {
  /** Why, a line for each guard. */
  readonly message: string;
  readonly hint: string | undefined;
  /** What --allow-refused-plan takes, if this plan can be allowed. */
  readonly plan: string | undefined;
  /** Kinds of the guards that were against it: another set of them is another event. */
  readonly kinds: readonly string[];
  readonly lastGood: string | undefined;
}

/** A run that a guard refused. */
export function refusedOf(scene: BackupScene, seen: RefusedFacts, facts: Facts = {}): Raised {
  const { message, hint, plan, kinds, lastGood } = seen;
  const allow = ["rclone-backup", "--allow-refused-plan", plan ?? "", scene.argument];
  return raise(
    makeNotice(
      scene,
      "refused",
      "refused, the backup was left as it is",
      [
        about(scene, "was refused: nothing at the destination was changed"),
        indented([message]),
        plan === undefined && hint !== undefined ? `Hint: ${hint}` : undefined,
        "Look at the source first: is its disk mounted, are its files still there and whole?",
        plan === undefined ? undefined : typed("If this is what you want, allow it once:", allow),
        goodSince(lastGood),
        status,
      ],
      { ...facts, message, plan: plan ?? null },
    ),
    kinds.length === 0
      ? digest([withoutNumbers(message)])
      : [...new Set(kinds)].toSorted().join(" "),
  );
}

/** Files that are not in the backup as they should be. The list is all of them that are known. */
export function differenceOf(
  scene: BackupScene,
  files: readonly NoticedFile[],
  fileCount: number,
  facts: Facts = {},
): Raised {
  return raise(
    makeNotice(
      scene,
      "difference",
      `verification found ${formatFiles(fileCount)} different`,
      [
        `Verification of the backup ${scene.backup} found stored files that are not what was backed up:`,
        listed(fileCount === 1 ? "differs" : "differ", files, fileCount),
        "The next backup uploads them again and verifies them, where the source still has what was backed up.",
        typed("To do that now:", ["rclone-backup", "-v", scene.argument]),
        typed("To verify everything:", ["rclone-backup", "--verify", "all", scene.argument]),
      ],
      { ...facts, files: fileCount },
    ),
    digest(files.map(({ path }) => path)),
  );
}

/** Several runs in a row that were skipped. */
export function skippedOf(
  scene: BackupScene,
  runs: number,
  message: string,
  lastGood: string | undefined,
): Raised {
  return raise(
    makeNotice(
      scene,
      "skipped",
      `skipped ${runs} times in a row`,
      [
        `The backup ${scene.backup} was skipped ${runs} times in a row. The last time because:`,
        indented([message]),
        goodSince(lastGood),
        typed("To run it now:", ["rclone-backup", "-v", scene.argument]),
      ],
      { runs, message, last_good: lastGood ?? null },
    ),
  );
}

/**
 * A backup that has not run when it should have, since a time (RFC 3339). `running`: since when a run
 * of it goes on.
 */
export function missedOf(
  scene: BackupScene,
  since: string,
  lastGood: string | undefined,
  running?: string,
): Raised {
  return raise(
    makeNotice(
      scene,
      "missed",
      "no backup was made when it should have been",
      [
        `The backup ${scene.backup} is overdue since ${shownTime(since)}.`,
        goodSince(lastGood),
        running === undefined
          ? "Was this machine off? Does its cron job or systemd timer still run?"
          : `A run of it goes on since ${shownTime(running)}: does it still get on, or does it wait for something?`,
        running === undefined
          ? typed("To run it now:", ["rclone-backup", "-v", scene.argument])
          : undefined,
        status,
      ],
      { since, last_good: lastGood ?? null },
    ),
  );
}

/** Deletions that were held back for several runs, since some files could not be read. */
export function suppressedOf(scene: BackupScene, runs: number, since: string): Raised {
  return raise(
    makeNotice(
      scene,
      "suppressed",
      `nothing was deleted for ${runs} runs`,
      [
        `In the last ${runs} runs of the backup ${scene.backup}, since ${shownTime(since)}, some files could not be read. Then rclone deletes nothing at the destination, so that the backup keeps what the source no longer has.`,
        typed("To see which files:", ["rclone-backup", "-v", scene.argument]),
        "Make them readable, or leave them out in [filters].",
      ],
      { runs, since },
    ),
  );
}

/** Verification that won't have read back everything in time; `message` says what was expected. */
export function coverageOf(scene: BackupScene, message: string, facts: Facts = {}): Raised {
  return raise(
    makeNotice(
      scene,
      "coverage",
      "verification falls behind",
      [
        `Verification of the backup ${scene.backup} falls behind:`,
        indented([message]),
        "Raise VERIFY_BUDGET, or [verify] budget of this backup.",
        status,
      ],
      { ...facts, message },
    ),
  );
}

function raise(notice: Raised["notice"], fingerprint = ""): Raised {
  return { notice, fingerprint };
}

const status = typed("To see where all backups stand:", ["rclone-backups", "status"]);

function about({ backup, host, at }: BackupScene, what: string): string {
  return `The backup ${backup} on ${host} ${what}, ${shownTime(at.toISOString())}.`;
}

function goodSince(lastGood: string | undefined): string {
  return lastGood === undefined
    ? "No earlier run of it was good."
    : `The last good run ended ${shownTime(lastGood)}.`;
}

function typed(lead: string, words: readonly string[]): string {
  return `${lead}\n  ${shellWords(words)}`;
}

function indented(texts: readonly string[]): string {
  return texts.flatMap((text) => text.split("\n").map((line) => `  ${line}`)).join("\n");
}

/** Files, a line each: a line end in a name or reason must not look like another file. */
function listed(what: string, files: readonly NoticedFile[], count: number): string | undefined {
  if (count === 0) return undefined;
  const lines = files
    .slice(0, mostFiles)
    .map(({ path, reason }) => `  ${path}: ${reason}`.replaceAll(/\s*\n\s*/g, " | "));
  const rest = count - lines.length;
  return [
    `${formatFiles(count)} ${what}:`,
    ...lines,
    ...(rest > 0 ? [`  … and ${rest} more`] : []),
  ].join("\n");
}
