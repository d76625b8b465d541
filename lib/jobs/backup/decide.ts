import { rename, rm } from "node:fs/promises";
import { systemCode } from "../../errors.ts";
import { judge, type Finding } from "../../guard/findings.ts";
import { compareMounts } from "../../guard/mounts.ts";
import { notCovered, PlanDigest, PlanRefused, type Refusal } from "../../guard/refusal.ts";
import { formatChange, readChanges } from "../../manifest/changes.ts";
import { LineSpool } from "../../process/spool.ts";
import { shellWords } from "../../units/shellwords.ts";
import { keepRefusal } from "./keep.ts";
import { warn, type Run } from "./run.ts";
import type { Survey } from "./survey.ts";

/** Throws PlanRefused when a guard is against the plan and no earlier refusal of it is allowed now. */
export async function decide(run: Run, seen: Survey): Promise<void> {
  const { guards } = run.session.backup;
  const verdict = judge(seen.planned.plan, guards, seen.top, run.heldBefore);
  const findings = [...verdict.findings, ...mountFindings(run, seen)];
  for (const warning of verdict.warnings) warn(run, warning);
  if (findings.length === 0) return;
  const given = run.options.allowRefusedPlan;
  const why = given === undefined ? undefined : await notAllowed(run, given, findings, seen);
  if (given !== undefined && why === undefined) {
    run.session.world.events.detail(1, `allowed this once: refused plan ${given}`);
    return;
  }
  throw await refuse(run, findings, seen, why);
}

function mountFindings(run: Run, seen: Survey): Finding[] {
  const before = run.record?.mounts;
  if (before === undefined || seen.mounts === undefined) return [];
  return compareMounts(before, seen.mounts).map(({ text }) => ({ kind: "mount", text }));
}

async function notAllowed(
  run: Run,
  given: string,
  findings: readonly Finding[],
  seen: Survey,
): Promise<string | undefined> {
  const refusal = run.record?.refused;
  if (refusal === undefined || refusal.id !== given || !(await isWhole(run, refusal))) {
    return `--allow-refused-plan ${given} names no plan that was refused last`;
  }
  return notCovered(refusal, findings, readChanges(run.files.refused), {
    counted: seen.planned.plan,
    changes: seen.planned.changes(),
  });
}

/** Whether the list on disk is the one that the id was made of: a run may have been killed between both. */
async function isWhole(run: Run, refusal: Refusal): Promise<boolean> {
  const digest = new PlanDigest();
  try {
    for await (const page of readChanges(run.files.refused)) {
      for (const change of page) digest.add(formatChange(change));
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
  return digest.id(refusal.findings) === refusal.id;
}

/** Remembers the plan, so that exactly it can be allowed, and says how. */
async function refuse(
  run: Run,
  findings: readonly Finding[],
  seen: Survey,
  why: string | undefined,
): Promise<PlanRefused> {
  const digest = new PlanDigest();
  let listed = false;
  const spool = new LineSpool(`${run.files.refused}.tmp`);
  for await (const page of seen.planned.changes()) {
    for (const change of page) {
      if (change.kind === "add") continue;
      const line = formatChange(change);
      listed = true;
      digest.add(line);
      spool.write(line);
    }
  }
  spool.close({ sync: true });
  const refusal: Refusal = { id: digest.id(findings), at: run.startedAt.toISOString(), findings };
  if (run.options.dryRun) await rm(spool.file, { force: true });
  else {
    await rename(spool.file, run.files.refused);
    await keepRefusal(run, refusal);
  }
  const message = [...findings.map(({ text }) => text), ...(why === undefined ? [] : [why])].join(
    "\n",
  );
  return new PlanRefused(refusal.id, message, hintFor(run, refusal, listed));
}

function hintFor(run: Run, refusal: Refusal, listed: boolean): string {
  const unchanged = "nothing at the destination was changed";
  // A dry run remembers nothing, so there is no plan yet that could be allowed.
  if (run.options.dryRun)
    return `${unchanged}; a run without -n is refused too, and tells how to allow it`;
  const list = listed
    ? `; what it would delete and overwrite is listed in ${run.files.refused}`
    : "";
  const command = shellWords([
    "rclone-backup",
    ...(run.options.repeat ?? []),
    "--allow-refused-plan",
    refusal.id,
    run.session.backup.file,
  ]);
  return `${unchanged}${list}; if this is what you want, allow exactly this plan once: ${command}`;
}
