import { exitCodes } from "../errors.ts";
import type { BackupStatus, Remark, SuiteStatus, Verified } from "../jobs/status/value.ts";
import type { FinishedRun } from "../state/runs.ts";
import { pathJson } from "./names.ts";

const pathsShown = 100;

/** The document of `status --json`: see docs/json-output.md. */
export function statusJson({ at, outcome, run, remarks, backups }: SuiteStatus): unknown {
  return {
    version: 1,
    kind: "status",
    at,
    outcome,
    exit_code: exitCodes[outcome],
    run:
      run === undefined
        ? null
        : { started_at: run.startedAt, finished_at: run.finishedAt, outcome: run.outcome },
    remarks: remarks.map(remarkJson),
    backups: backups.map(backupJson),
  };
}

function backupJson(backup: BackupStatus): unknown {
  const { name, file, state, outcome, source, destination, last, good, running } = backup;
  const { schedule, nextAt, overdueSince, attempt, differences, guard, verified } = backup;
  return {
    name,
    file,
    state,
    outcome,
    exit_code: exitCodes[outcome],
    source: source ?? null,
    destination: destination ?? null,
    last: last === undefined ? null : runJson(last),
    warnings: backup.warnings,
    good:
      good === undefined
        ? null
        : { run: good.run, finished_at: good.finishedAt, files: good.files, bytes: good.bytes },
    running: running ?? null,
    schedule:
      schedule === undefined ? null : { cron: schedule.cron, time_zone: schedule.timeZone ?? null },
    next_at: nextAt ?? null,
    overdue_since: overdueSince ?? null,
    skipped_runs: attempt?.skippedRuns ?? 0,
    differences: {
      count: differences.length,
      paths: differences.slice(0, pathsShown).map(pathJson),
    },
    guard: {
      refused:
        guard.refused === undefined
          ? null
          : { id: guard.refused.id, at: guard.refused.at, findings: guard.refused.findings },
      suppressed: guard.suppressed ?? null,
      paused_since: guard.pausedSince ?? null,
      clock_doubt: guard.clockDoubt ?? null,
      trusted: guard.trusted ?? null,
    },
    verified: verified === undefined ? null : verifiedJson(verified),
    history: backup.runs.map(runJson),
    remarks: backup.remarks.map(remarkJson),
  };
}

function runJson(run: FinishedRun): unknown {
  return {
    run: run.run,
    result: run.result,
    exit_code: run.exitCode,
    started_at: run.startedAt,
    finished_at: run.finishedAt,
    source: run.source ?? null,
    added: run.added ?? null,
    changed: run.changed ?? null,
    deleted: run.deleted ?? null,
    message: run.message ?? null,
  };
}

function verifiedJson({ total, never, uncoverable, within, all, hashAt }: Verified): unknown {
  return {
    total,
    never,
    uncoverable,
    within,
    all_since: "since" in all ? all.since : null,
    all_by: "date" in all ? all.date : null,
    never_all: "never" in all ? all.never : null,
    hash_at: hashAt ?? null,
  };
}

function remarkJson({ kind, text, hint }: Remark): unknown {
  return { kind, text, hint: hint ?? null };
}
