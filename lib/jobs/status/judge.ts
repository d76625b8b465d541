import { exitCodes, firstOutcome, outcomeOf, type Outcome } from "../../errors.ts";
import type { FinishedRun } from "../../state/runs.ts";
import { shellWords } from "../../units/shellwords.ts";
import { backupStates, type BackupState, type BackupStatus, type Remark } from "./value.ts";
import type { KeptDetails } from "./states.ts";

/** What a backup is judged by. */
export interface Facts extends Omit<
  BackupStatus,
  "state" | "outcome" | "remarks" | "running" | "differences"
> {
  /** Why its configuration can't be loaded. */
  readonly problem: { readonly message: string; readonly hint: string | undefined } | undefined;
  readonly details: Pick<KeptDetails, "paused" | "holder" | "differences">;
  /** A run that has begun to change the destination and has not told how it ended. */
  readonly begun: { readonly run: string; readonly startedAt: string } | undefined;
  readonly damaged: readonly string[];
  /** Warnings that hold for long and were told once. */
  readonly told: readonly string[];
  /** Where the last run stored it, if that is no longer where the configuration says. */
  readonly before: string | undefined;
}

interface Finding extends Remark {
  /** Undefined for what changes nothing. */
  readonly state?: BackupState;
  readonly outcome?: Outcome;
}

/** Says in a word, an outcome and remarks how a backup is. */
export function judge(facts: Facts): BackupStatus {
  const {
    problem: _,
    details,
    begun: __,
    damaged: ___,
    told: ____,
    before: _____,
    ...known
  } = facts;
  const { holder, differences } = details;
  const findings = findingsOn(facts);
  const states = new Set(findings.map(({ state }) => state));
  return {
    ...known,
    state: backupStates.find((state) => states.has(state)) ?? "good",
    outcome: firstOutcome(findings.flatMap(({ outcome }) => outcome ?? [])),
    running: holder === undefined ? undefined : { since: holder.since, command: holder.command },
    differences,
    remarks: findings.map(({ kind, text, hint }) => ({ kind, text, hint })),
  };
}

function findingsOn(facts: Facts): Finding[] {
  return [
    ...configuration(facts),
    ...pause(facts),
    ...lastRun(facts),
    ...attempt(facts),
    ...overdue(facts),
    ...unread(facts),
    ...open(facts),
    ...guards(facts),
    ...notes(facts),
  ];
}

function configuration({ problem, damaged }: Facts): Finding[] {
  const findings: Finding[] = damaged.map((file) => ({
    kind: "state",
    text: `expected JSON in ${file}, found a damaged file: what is known of the runs is in the history only`,
    hint: "the next run sets it aside and counts at the destination",
  }));
  if (problem !== undefined)
    findings.unshift({
      kind: "configuration",
      text: problem.message,
      hint: problem.hint,
      state: "broken",
      outcome: "usage",
    });
  return findings;
}

function pause({ file, details: { paused } }: Facts): Finding[] {
  if (paused === undefined) return [];
  const common = { kind: "paused", state: "paused", outcome: "skipped" } as const;
  if (paused === "damaged")
    return [
      {
        ...common,
        text: "it was rolled back, and the file that says to when is damaged",
        hint: `where the source is in order, ${shellWords(["rclone-recover", "--resume", "--yes", file])}`,
      },
    ];
  const { asOf, complete } = paused;
  return [
    {
      ...common,
      text: `it was rolled back to ${asOf}${complete ? "" : ", which is not complete"}`,
      hint: complete
        ? `bring the source in order, then ${shellWords(["rclone-recover", "--resume", file])}`
        : `${shellWords(["rclone-recover", "--as-of", asOf, file])} goes on with the roll-back`,
    },
  ];
}

/** A skipped run says nothing of how the backup is, so the one before it counts. */
function lastRun(facts: Facts): Finding[] {
  const { file, last, runs, problem, begun, details } = facts;
  if (begun !== undefined && details.holder === undefined)
    return [
      {
        kind: "killed",
        state: "killed",
        outcome: "failed",
        text: `run ${begun.run} was killed while it changed the destination`,
        hint: "the next run counts at the destination and goes on",
      },
    ];
  const counted = last?.result === "skipped" ? runs.findLast(isNotSkipped) : last;
  if (counted === undefined) {
    if (problem !== undefined || facts.good !== undefined) return [];
    return [
      {
        kind: "never",
        state: "never",
        outcome: "failed",
        text: "it never ran",
        hint: shellWords(["rclone-backup", file]),
      },
    ];
  }
  const outcome = outcomeOf(counted.exitCode) ?? "failed";
  const common = { text: counted.message ?? `the last run ended with ${counted.exitCode}` };
  switch (outcome) {
    case "done":
      return counted.result === "warning" ? warnings(facts) : [];
    case "refused":
      // The guard's remark says more where a plan can be allowed.
      return facts.guard.refused === undefined
        ? [{ ...common, kind: "refused", state: "refused", outcome }]
        : [];
    case "partial":
      return [{ ...common, kind: "failed", state: "partial", outcome }];
    case "difference":
      return [{ ...common, kind: "differences", state: "differs", outcome }];
    case "failed":
    case "usage":
    case "skipped":
    case "interrupted":
      return [{ ...common, kind: "failed", state: "failed", outcome: "failed" }];
  }
}

function isNotSkipped({ result }: FinishedRun): boolean {
  return result !== "skipped";
}

function warnings({ warnings: found }: Facts): Finding[] {
  if (found.length === 0)
    return [{ kind: "warning", state: "warning", text: "the last run ended with warnings" }];
  return found.map((text) => ({ kind: "warning", state: "warning", text }));
}

/** What `rclone-backups run` met before or after the run that the state tells of. */
function attempt({ attempt: tried, last, details: { paused } }: Facts): Finding[] {
  if (tried === undefined) return [];
  const { outcome, message, skippedRuns, attemptedAt } = tried;
  const findings: Finding[] = [];
  if (skippedRuns > 0 && paused === undefined)
    findings.push({
      kind: "skipped",
      state: "skipped",
      text: `skipped ${skippedRuns === 1 ? "once" : `${skippedRuns} times in a row`}${message === undefined ? "" : `: ${message}`}`,
    });
  // One that came as far as to have a lock is told by its own record.
  const isTold = last !== undefined && last.finishedAt >= attemptedAt;
  if (isTold || outcome === "done" || outcome === "skipped") return findings;
  findings.push({
    kind: "failed",
    state: "failed",
    outcome: outcome === "interrupted" || outcome === "usage" ? "failed" : outcome,
    text: message ?? `it was tried at ${attemptedAt} and ended with ${exitCodes[outcome]}`,
  });
  return findings;
}

function overdue({ overdueSince, details: { paused } }: Facts): Finding[] {
  if (overdueSince === undefined || paused !== undefined) return [];
  return [
    {
      kind: "overdue",
      state: "overdue",
      outcome: "failed",
      text: `overdue since ${overdueSince}`,
    },
  ];
}

/** However the backup itself went since: that says nothing of what is stored. */
function unread({ file, unverified }: Facts): Finding[] {
  return unverified.map(({ kind, at, outcome, message = "no reason is known" }) => {
    const isPartial = outcome === "partial";
    const [what, words] =
      kind === "next"
        ? (["reading back", ["--verify-next", "100M"]] as const)
        : (["comparing checksums", ["--verify", "hash"]] as const);
    return {
      kind: "verification",
      state: isPartial ? "partial" : "failed",
      outcome: isPartial ? "partial" : "failed",
      text: `${what} ${isPartial ? "was not complete" : "failed"} at ${at}: ${message}`,
      hint: `the next verification that succeeds ends this: ${shellWords(["rclone-backup", ...words, file])}`,
    };
  });
}

function open({ file, details: { differences } }: Facts): Finding[] {
  const { length } = differences;
  if (length === 0) return [];
  return [
    {
      kind: "differences",
      state: "differs",
      outcome: "difference",
      text: `${length === 1 ? "1 stored file was" : `${length} stored files were`} found different from the source, and nothing has proved ${length === 1 ? "it" : "them"} since`,
      hint: `the next backup uploads ${length === 1 ? "it" : "them"} again; ${shellWords(["rclone-backup", "--verify", "all", file])} proves it`,
    },
  ];
}

function guards({ file, guard: { refused, suppressed, clockDoubt } }: Facts): Finding[] {
  const findings: Finding[] = [];
  if (refused !== undefined)
    findings.push({
      kind: "refused",
      state: "refused",
      outcome: "refused",
      text: `refused at ${refused.at}: ${refused.findings.join("; ")}`,
      hint: `if this is what you want, allow exactly this plan once: ${shellWords(["rclone-backup", "--allow-refused-plan", refused.id, file])}`,
    });
  if (suppressed !== undefined)
    findings.push({
      kind: "suppressed",
      state: "partial",
      outcome: "partial",
      text: `nothing was deleted ${suppressed.runs === 1 ? "in the last run" : `for ${suppressed.runs} runs in a row`}, since ${suppressed.since}: files that can't be read keep rclone from it`,
      hint: "make them readable, or leave them out with a filter",
    });
  if (clockDoubt !== undefined)
    findings.push({
      kind: "clock",
      text: `the clock went from ${clockDoubt.from} to ${clockDoubt.to} between two runs, and nobody has said that it is right: nothing expires by it`,
      hint: `if it is right: ${shellWords(["rclone-prune", "--allow-clock", file])}`,
    });
  return findings;
}

function notes(facts: Facts): Finding[] {
  const { details, told, before, last, verified, attempt: tried } = facts;
  const { holder, paused } = details;
  const findings: Finding[] = told.map((text) => ({ kind: "warning", text }));
  if (holder !== undefined)
    findings.push({
      kind: "running",
      state: "running",
      text: `${holder.command} runs since ${holder.since}`,
    });
  if (before !== undefined)
    findings.push({
      kind: "destination",
      text: `the runs so far stored it at ${before}, which is not what the configuration says now`,
    });
  // Where all are run, how often in a row is known too.
  if (last?.result === "skipped" && paused === undefined && (tried?.skippedRuns ?? 0) === 0)
    findings.push({
      kind: "skipped",
      state: "skipped",
      text: `the last run was skipped${last.message === undefined ? "" : `: ${last.message}`}`,
    });
  if (verified !== undefined && verified.uncoverable.files > 0 && "never" in verified.all)
    findings.push({
      kind: "coverage",
      text: `not all of it can be verified: ${verified.all.never}`,
    });
  return findings;
}
