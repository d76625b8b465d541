import type { Count } from "../units/count.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import type { Limit } from "../units/limit.ts";
import type { Top } from "../rclone/listing.ts";
import type { SyncPlan } from "./plan.ts";

/** Why a run is refused. */
export interface Finding {
  readonly kind: "source-empty" | "max-delete" | "max-change" | "mount" | "destination-empty";
  /** What was expected and what was found. */
  readonly text: string;
}

export interface GuardLimits {
  readonly maxDelete: Limit;
  readonly maxChange: Limit;
}

export interface Judgement {
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
}

const foundAt = {
  missing: "no such directory",
  empty: "nothing readable at its top",
  foreign: "only others",
};

/** Judges a plan by the limits. `top` says what the destination's top looked like. */
export function judge(
  plan: SyncPlan,
  limits: GuardLimits,
  top: Top | "foreign",
  heldBefore: number,
): Judgement {
  const findings: Finding[] = [];
  const warnings: string[] = [];
  if (top !== "files" && heldBefore > 0) {
    findings.push({
      kind: "destination-empty",
      text: `destination: expected the ${formatFiles(heldBefore)} that the last run left there, found ${foundAt[top]} (a disk that is not mounted, a wrong password, a remote made anew?)`,
    });
  }
  if (plan.complete && plan.ownFiles === 0 && plan.ownHeld > 0) {
    findings.push({
      kind: "source-empty",
      text: `source: expected files as in the last run (${formatFiles(plan.ownHeld)}), found none (not mounted?); all of the backup would be deleted`,
    });
  } else if (exceeds(plan.deletes, limits.maxDelete, plan.held)) {
    findings.push({
      kind: "max-delete",
      text: `guards.max_delete: expected at most ${limitText(limits.maxDelete)} to be deleted, found ${share(plan.deletes, plan)}`,
    });
  }
  if (exceeds(plan.changes, limits.maxChange, plan.held)) {
    findings.push({
      kind: "max-change",
      text: `guards.max_change: expected at most ${limitText(limits.maxChange)} to be overwritten, found ${share(plan.changes, plan)}`,
    });
  } else if (plan.held.files > 0 && plan.changes.files * 2 > plan.held.files) {
    warnings.push(`more than half of the files are overwritten: ${share(plan.changes, plan)}`);
  }
  return { findings, warnings };
}

function exceeds(count: Count, limit: Limit, held: SyncPlan["held"]): boolean {
  switch (limit.kind) {
    case "off":
      return false;
    case "files":
      return count.files > limit.files;
    case "bytes":
      return count.bytes > limit.bytes;
    case "percent":
      return count.files > (held.files * limit.percent) / 100;
  }
}

function limitText(limit: Limit): string {
  switch (limit.kind) {
    case "off":
      return "anything";
    case "files":
      return formatFiles(limit.files);
    case "bytes":
      return formatBytes(limit.bytes);
    case "percent":
      return `${limit.percent}% of the files`;
  }
}

function share(count: Count, plan: SyncPlan): string {
  const percent = plan.held.files === 0 ? 100 : (100 * count.files) / plan.held.files;
  return `${formatFiles(count.files)} of ${plan.held.files} (${percent.toFixed(percent < 10 ? 1 : 0)}%, ${formatBytes(count.bytes)})`;
}
