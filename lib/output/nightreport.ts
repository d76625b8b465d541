import { exitCodes } from "../errors.ts";
import type { NightBackup, NightResult, NightVerification } from "../jobs/nightly/night.ts";
import { formatBytes, formatFiles, formatSpan } from "../units/format.ts";
import { escapeText } from "./escape.ts";

/** A line for each backup, and one for the whole. */
export function nightText(night: NightResult): string {
  const width = Math.max(...night.backups.map(({ name }) => escapeText(name).length), 0);
  const lines = night.backups.map(
    (backup) => `${escapeText(backup.name).padEnd(width)}  ${backupText(backup)}`,
  );
  return [...lines, wholeText(night)].map((line) => `${line}\n`).join("");
}

/** Whether all that came of it is that what was skipped a while ago is skipped again. */
export function tellsNothingNew({ outcome, backups, message }: NightResult): boolean {
  return (
    outcome === "skipped" &&
    message === undefined &&
    backups.every((each) => each.repeated || each.outcome === "done")
  );
}

function backupText(backup: NightBackup): string {
  const { outcome, result, message, counts, startedAt, finishedAt } = backup;
  const took = formatSpan((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000);
  const [first = ""] = (message ?? "").split("\n");
  const said =
    outcome === "done"
      ? counts === undefined
        ? ""
        : countsText(counts)
      : `${exitCodes[outcome]}${first === "" ? "" : `: ${escapeText(first)}`}`;
  const verified = backup.verifications.map(verificationText);
  const parts = [said, ...verified].filter((part) => part !== "");
  return `${result.padEnd(8)} ${took.padStart(6)}${parts.length === 0 ? "" : `  ${parts.join("; ")}`}`;
}

function countsText({
  source,
  added,
  changed,
  deleted,
}: NonNullable<NightBackup["counts"]>): string {
  return `${formatFiles(source.files)} (${formatBytes(source.bytes)}), ${added.files} new, ${changed.files} changed, ${deleted.files} deleted`;
}

function verificationText(verification: NightVerification): string {
  const { outcome, files, bytes, message } = verification;
  const what = whatWasRead(verification);
  const [first = ""] = (message ?? "").split("\n");
  if (outcome === "done" && files === 0 && bytes === 0) return "";
  return outcome === "done" ? what : `${what}, ${exitCodes[outcome]}: ${escapeText(first)}`;
}

function whatWasRead({ kind, isTold, files, bytes }: NightVerification): string {
  if (kind === "hash")
    return isTold ? `checksums of ${formatFiles(files)} compared` : "checksums not compared";
  return isTold ? `${formatFiles(files)} (${formatBytes(bytes)}) read back` : "not read back";
}

function wholeText({ backups, notDue, verification, message }: NightResult): string {
  const counted = (["success", "warning", "failure", "skipped"] as const).flatMap((result) => {
    const { length } = backups.filter((backup) => backup.result === result);
    return length === 0 ? [] : [`${length} ${result}`];
  });
  if (notDue.length > 0) counted.push(`${notDue.length} not due`);
  const { budget, spent } = verification;
  const read =
    budget > 0 && spent > 0
      ? `; ${formatBytes(spent)} of ${formatBytes(budget)} spent on reading back today`
      : "";
  const whole = message === undefined ? "" : `; ${escapeText(message.split("\n")[0] ?? "")}`;
  return `${counted.length === 0 ? "nothing was due" : counted.join(", ")}${read}${whole}`;
}

/** The whole in one line, for a service manager: with why the first backup that is not done is not. */
export function nightStatus(night: NightResult): string {
  const bad = night.backups.find(({ outcome }) => outcome !== "done");
  const [why = ""] = (bad?.message ?? "").split("\n");
  const reason = bad === undefined ? "" : `; ${escapeText(`${bad.name}: ${why}`)}`;
  return `${wholeText(night)}${reason}`;
}

/** The document of `rclone-backups run --json`: see docs/json-output.md. */
export function nightJson(night: NightResult): object {
  const { outcome, dryRun, startedAt, finishedAt, backups, notDue, verification } = night;
  return {
    version: 1,
    kind: "run",
    outcome,
    exit_code: exitCodes[outcome],
    dry_run: dryRun,
    started_at: startedAt,
    finished_at: finishedAt,
    backups: backups.map(backupJson),
    not_due: notDue,
    verification: {
      budget: verification.budget,
      spent_before: verification.spentBefore,
      spent: verification.spent,
    },
    message: night.message ?? null,
    hint: night.hint ?? null,
  };
}

function backupJson(backup: NightBackup): object {
  const { name, file, outcome, result, startedAt, finishedAt, counts, verifications } = backup;
  return {
    name,
    config: file,
    result,
    outcome,
    exit_code: exitCodes[outcome],
    started_at: startedAt,
    finished_at: finishedAt,
    message: backup.message ?? null,
    hint: backup.hint ?? null,
    refused_plan: backup.refusedPlan ?? null,
    warnings: backup.warnings,
    failures: backup.failures,
    failure_count: backup.failureCount,
    counts: counts ?? null,
    verifications: verifications.map(
      ({ kind, share, files, bytes, transactions, differences, ...each }) => ({
        kind,
        outcome: each.outcome,
        exit_code: exitCodes[each.outcome],
        ...{ share, files, bytes, transactions, differences },
        message: each.message ?? null,
      }),
    ),
  };
}
