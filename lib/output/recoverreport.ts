import { exitCodes } from "../errors.ts";
import type { RecoverPlan, RecoverResult, RecoverStep } from "../jobs/recover/options.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { pathBytes, pathJson } from "./names.ts";

/** A line a file: what is done, the version that becomes current, and which file. */
export function stepPage(steps: readonly RecoverStep[], toTerminal: boolean): Buffer {
  return Buffer.concat(
    steps.flatMap((step) => {
      const version = step.action === "hide" ? undefined : step.version;
      const time = version === undefined ? "-" : new Date(version.from).toISOString();
      const size = version === undefined ? "-" : String(version.size);
      const head = `${step.action.padEnd(8)} ${time.padEnd(24)} ${size.padStart(12)} `;
      return [Buffer.from(head), pathBytes(step.file.path, toTerminal), Buffer.from("\n")];
    }),
  );
}

export function stepNdjson(steps: readonly RecoverStep[]): string {
  return steps
    .map((step) => {
      const version = step.action === "hide" ? undefined : step.version;
      const line = {
        ...{ version: 1, kind: "step", action: step.action, ...pathJson(step.file.path) },
        id: version?.stored.id ?? null,
        stored: version === undefined ? null : new Date(version.from).toISOString(),
        size: version?.size ?? null,
      };
      return `${JSON.stringify(line)}\n`;
    })
    .join("");
}

export function planText({ undelete, restore, hide, bytes }: RecoverPlan): string {
  const parts = [
    undelete > 0 ? `${formatFiles(undelete)} to undelete` : "",
    restore > 0 ? `${formatFiles(restore)} to put back as they were` : "",
    hide > 0 ? `${formatFiles(hide)} to mark as deleted` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "nothing to do" : `${parts.join(", ")} (${formatBytes(bytes)})`;
}

export function recoverLine({ plan, done, dryRun }: RecoverResult): string {
  const all = plan.undelete + plan.restore + plan.hide;
  if (all === 0) return "nothing to do: the backup is as wished\n";
  return dryRun
    ? `would be done: ${planText(plan)}\n`
    : `done for ${done} of ${formatFiles(all)}: ${planText(plan)}\n`;
}

export function recoverJson(result: RecoverResult): object {
  const { name, outcome, dryRun, plan, done, failures, paused } = result;
  return {
    ...{ version: 1, kind: "recover", name, outcome, exit_code: exitCodes[outcome] },
    ...{ dry_run: dryRun, plan, done, paused },
    failures: failures.map(({ path, reason }) => ({ ...pathJson(path), reason })),
  };
}

export function resumeJson(name: string): object {
  return { version: 1, kind: "resume", name, outcome: "done", exit_code: 0 };
}

export function failureText({ failures, plan, done }: RecoverResult): string {
  const lines = failures
    .slice(0, 10)
    .map(({ path, reason }) => `  ${textFromRaw(path)}: ${reason}`);
  if (failures.length > lines.length) lines.push(`  … and ${failures.length - lines.length} more`);
  const all = plan.undelete + plan.restore + plan.hide;
  const stopped = done + failures.length < all ? ", and so it stopped" : "";
  return `${formatFiles(failures.length)} could not be recovered${stopped}:\n${lines.join("\n")}`;
}
