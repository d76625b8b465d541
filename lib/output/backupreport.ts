import { exitCodes } from "../errors.ts";
import type { SyncPlan } from "../guard/plan.ts";
import type { BackupResult } from "../jobs/result.ts";
import type { Difference, NextResult, VerifyResult } from "../jobs/verify/verification.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { verifiedWithin, type Coverage } from "../verify/coverage.ts";
import { escapeText } from "./escape.ts";
import { pathJson } from "./names.ts";

/** What a backup did, or in a dry run would do, in one line. */
export function backupLine(result: BackupResult): string {
  const { plan } = result;
  if (plan === undefined) return result.result;
  const parts = [
    `${formatFiles(plan.source.files)} (${formatBytes(plan.source.bytes)}) in the source`,
    ...changeParts(result, plan),
  ];
  if (result.mended > 0) parts.push(`${result.mended} mended`);
  return parts.join(", ");
}

/** The plan's words, which tell new files from changed ones, unless it came out otherwise. */
function changeParts(result: BackupResult, { adds, changes, deletes }: SyncPlan): string[] {
  const { dryRun, transferred, deleted } = result;
  const asPlanned = transferred.files === adds.files + changes.files && deleted === deletes.files;
  return dryRun || asPlanned
    ? [count(adds, "new"), count(changes, "changed"), count(deletes, "deleted")]
    : [count(transferred, "copied"), `${deleted} deleted`];
}

function count({ files, bytes }: { files: number; bytes: number }, what: string): string {
  return files === 0 ? `0 ${what}` : `${files} ${what} (${formatBytes(bytes)})`;
}

/** The document of `--json`: see docs/json-output.md. */
export function backupJson(result: BackupResult): unknown {
  const { plan, outcome, refusedPlan, failureCount, dryRun, startedAt, finishedAt, ...rest } =
    result;
  return {
    version: 1,
    kind: "backup",
    ...rest,
    pruned: result.pruned ?? null,
    outcome,
    exit_code: exitCodes[outcome],
    dry_run: dryRun,
    started_at: startedAt,
    finished_at: finishedAt,
    plan:
      plan === undefined
        ? null
        : {
            counted_from: plan.from,
            source: plan.source,
            held: plan.held,
            added: plan.adds,
            changed: plan.changes,
            deleted: plan.deletes,
          },
    failures: result.failures.map(({ path, reason }) => ({ ...pathJson(path), reason })),
    failure_count: failureCount,
    message: result.message ?? null,
    hint: result.hint ?? null,
    refused_plan: refusedPlan ?? null,
  };
}

/** What a verification proved, and what it did not. */
export function verifyLines(result: VerifyResult, now: Date): string {
  return `${provedLines(result, now)}${goneLine(result)}`;
}

function provedLines(result: VerifyResult, now: Date): string {
  const { chosen, verified, pool, next } = result;
  const seed = next === undefined ? ` (seed ${result.seed})` : "";
  if (result.dryRun)
    return `would verify ${chosen.files} of ${pool.files} files, ${formatBytes(chosen.bytes)} of ${formatBytes(pool.bytes)}${seed}\n${partLines(next).join("")}`;
  if (chosen.files === 0 && next !== undefined)
    return `verified nothing: of ${pool.files} files (${formatBytes(pool.bytes)}) none is next within this budget\n`;
  if (chosen.files === 0)
    return `verified nothing: the conditions choose none of ${pool.files} files (${formatBytes(pool.bytes)})\n`;
  const lines = [
    `verified ${verified.files} of ${pool.files} files, ${formatBytes(verified.bytes)} of ${formatBytes(pool.bytes)}${chosen.files < pool.files ? seed : ""}`,
    ...partLines(next).map((line) => line.trimEnd()),
    ...(next?.coverage === undefined ? [] : [coverageLine(next.coverage, now)]),
  ];
  if (result.changed.length > 0)
    lines.push(`${result.changed.length} changed since the last backup and could not be compared`);
  return lines.map((line) => `${line}\n`).join("");
}

/** Too many of them are told as what is wrong. */
function goneLine({ gone }: VerifyResult): string {
  if (gone === undefined || gone.files === 0 || gone.suspicious) return "";
  return `${gone.files} of the backup ${gone.files === 1 ? "is" : "are"} not in the source any more and could not be compared\n`;
}

/** Which parts of large files were chosen. */
function partLines(next: NextResult | undefined): string[] {
  return (next?.ranges ?? []).map(
    ({ path, offset, bytes, size }) =>
      `  of ${escapeText(textFromRaw(path))} (${formatBytes(size)}) ${formatBytes(bytes)} from ${formatBytes(offset)} on\n`,
  );
}

function coverageLine(coverage: Coverage, now: Date): string {
  const within = verifiedWithin(coverage, 30, now);
  const never =
    coverage.never.files === 0
      ? ""
      : `, ${formatFiles(coverage.never.files)} (${formatBytes(coverage.never.bytes)}) never`;
  return `read back within 30 days: ${percent(within.bytes)} of the bytes, ${percent(within.files)} of the files${never}`;
}

/** Rounded down, so that only all of it is 100 %. */
function percent(share: number): string {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

const kinds = {
  differs: "differs from the source",
  missing: "is missing at the destination",
  damaged: "can't be decrypted",
  error: "could not be compared",
  unanswered: "could not be compared, rclone gave no answer",
  unhashed: "could not be compared, the destination has no checksum of it",
};

/** What is wrong by a verification, for the error message and its hint. */
export function verifyProblem(result: VerifyResult): {
  readonly message: string;
  readonly hint: string;
} {
  const { differences, errors, chosen, gone } = result;
  const wrong = differences.length + errors.length > 0;
  const lines = wrong
    ? [
        `${differences.length} of ${chosen.files} files differ, ${errors.length} could not be compared:`,
        differenceText(result),
      ]
    : [];
  if (gone?.suspicious === true)
    lines.push(
      `source: expected the ${formatFiles(gone.of)} that the backup holds, found ${gone.files === gone.of ? "none of them" : `${gone.files} of them missing`}: nothing is known of these`,
    );
  const hint =
    differences.length > 0
      ? "the next backup uploads these files again and verifies them"
      : wrong
        ? "mend what the reasons name, and verify again"
        : "is its disk mounted? If they were deleted on purpose, back up first, and verify again";
  return { message: lines.join("\n"), hint };
}

/** The files of a verification that are wrong. */
function differenceText(result: VerifyResult): string {
  const shown = 20;
  const all = [...result.differences, ...result.errors];
  const lines = all
    .slice(0, shown)
    .map(
      ({ path, kind, reason }) =>
        `  ${escapeText(textFromRaw(path))}: ${kinds[kind]}${reason === undefined ? "" : ` (${escapeText(reason)})`}`,
    );
  if (all.length > shown) lines.push(`  … and ${all.length - shown} more`);
  return lines.join("\n");
}

/** The document of `--verify … --json` and `--verify-next … --json`. */
export function verifyJson(result: VerifyResult): unknown {
  const { outcome, dryRun, differences, errors, changed, gone, next, seed, ...rest } = result;
  return {
    version: 1,
    kind: "verify",
    ...rest,
    seed: next === undefined ? seed : null,
    outcome,
    exit_code: exitCodes[outcome],
    dry_run: dryRun,
    differences: differences.map(item),
    errors: errors.map(item),
    changed: changed.map(pathJson),
    gone: gone === undefined ? null : { files: gone.files, bytes: gone.bytes },
    ...(next === undefined ? {} : nextJson(next)),
  };
}

function nextJson({ spent, ranges, coverage }: NextResult): object {
  return {
    spent,
    parts: ranges.map(({ path, offset, bytes, size }) => ({
      ...pathJson(path),
      ...{ offset, bytes, size },
    })),
    coverage: coverage ?? null,
  };
}

function item({ path, kind, reason }: Difference): unknown {
  return { ...pathJson(path), problem: kind, reason: reason ?? null };
}
