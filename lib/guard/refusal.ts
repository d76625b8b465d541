import { createHash } from "node:crypto";
import { Failure } from "../errors.ts";
import type { Change } from "../manifest/changes.ts";
import { merge, type Pages } from "../manifest/pages.ts";
import { formatFiles } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import type { Finding } from "./findings.ts";
import type { SyncPlan } from "./plan.ts";

/** A refused plan, remembered so that a one-time flag can allow exactly it and nothing bigger. */
export interface Refusal {
  /** Names the plan in --allow-refused-plan; the same plan has the same id every night. */
  readonly id: string;
  readonly at: string;
  readonly findings: readonly Finding[];
}

/** Thrown when a plan is refused: exit 5, and the flag that would allow it. */
export class PlanRefused extends Failure {
  readonly plan: string;

  constructor(plan: string, message: string, hint: string) {
    super("refused", message, { hint });
    this.plan = plan;
  }
}

/** Digests a plan into its id as its lines go by. */
export class PlanDigest {
  readonly #hash = createHash("sha256");

  add(line: string): void {
    this.#hash.update(line, "latin1").update("\n");
  }

  id(findings: readonly Finding[]): string {
    return this.#hash
      .copy()
      .update(JSON.stringify(findings.map(({ kind }) => kind)))
      .digest("hex")
      .slice(0, 12);
  }
}

/** The plan of a run that is given an allowance. */
export interface AskedPlan {
  readonly counted: Pick<SyncPlan, "from" | "changes">;
  readonly changes: Pages<Change>;
}

/**
 * Why an earlier refusal does not cover a plan; undefined when it does. Whatever the finding was,
 * nothing may be deleted or overwritten that was not to be then: who allows one loss has not looked
 * at another. New files are free.
 */
export async function notCovered(
  refusal: Refusal,
  findings: readonly Finding[],
  refusedChanges: Pages<Change>,
  plan: AskedPlan,
): Promise<string | undefined> {
  for (const finding of findings) {
    const known = refusal.findings.some(
      ({ kind, text }) => kind === finding.kind && (kind !== "mount" || text === finding.text),
    );
    if (!known) return `the refused plan did not hold this: ${finding.text}`;
  }
  // The changes of a dry run hold new files, too, so only their number tells how many overwrite.
  const exact =
    plan.counted.from === "manifest" || findings.some(({ kind }) => kind === "max-change");
  let covered = 0;
  for await (const page of merge(refusedChanges, plan.changes)) {
    for (const [before, now] of page) {
      if (now?.kind === "delete" && before?.kind !== "delete")
        return `the refused plan did not delete ${textFromRaw(now.path)}`;
      if (now?.kind !== "change") continue;
      // One that was to be deleted loses no more by being overwritten.
      if (before?.kind === "change" || before?.kind === "delete") covered += 1;
      else if (exact) return `the refused plan did not overwrite ${textFromRaw(now.path)}`;
    }
  }
  const more = plan.counted.changes.files - covered;
  if (more > 0) return `the refused plan did not overwrite ${formatFiles(more)} of this one`;
  return undefined;
}
