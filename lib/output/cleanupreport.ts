import { exitCodes } from "../errors.ts";
import type { CleanupPlan, CleanupResult, CleanupVersion } from "../jobs/cleanup.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { pathBytes, pathJson } from "./names.ts";

/** A line a version: when it was stored, how long it is, and which file. */
export function versionPage(versions: readonly CleanupVersion[], toTerminal: boolean): Buffer {
  return Buffer.concat(
    versions.flatMap(({ version, path }) => {
      const size = version.kind === "marker" ? "deletion" : String(version.size);
      const head = `remove ${new Date(version.storedAt).toISOString()} ${size.padStart(12)} `;
      return [Buffer.from(head), pathBytes(path, toTerminal), Buffer.from("\n")];
    }),
  );
}

export function versionNdjson(versions: readonly CleanupVersion[]): string {
  return versions
    .map(({ version, path }) => {
      const stored = new Date(version.storedAt).toISOString();
      const { id, kind, size } = version;
      const line = { version: 1, kind: "removal", ...pathJson(path), is: kind, id, stored, size };
      return `${JSON.stringify(line)}\n`;
    })
    .join("");
}

export function planText({ files, versions, current, bytes }: CleanupPlan): string {
  const ofThem = current === 0 ? "" : `, ${current} of them current`;
  return `${versions} ${versions === 1 ? "version" : "versions"} of ${formatFiles(files)}${ofThem} (${formatBytes(bytes)})`;
}

export function cleanupLine({ plan, applied, dryRun }: CleanupResult): string {
  if (plan.versions === 0) return "nothing to remove: there are no old versions\n";
  if (dryRun || applied === undefined) return `would remove ${planText(plan)}\n`;
  return `removed ${applied.removed} of ${planText(plan)}\n`;
}

export function cleanupJson({ name, outcome, dryRun, plan, applied }: CleanupResult): object {
  return {
    ...{ version: 1, kind: "cleanup", name, outcome, exit_code: exitCodes[outcome] },
    ...{ dry_run: dryRun, plan },
    removed:
      applied === undefined
        ? null
        : {
            ...{ versions: applied.removed, bytes: applied.bytes, gone: applied.gone },
            failures: applied.failures.map(({ path, version, error }) => ({
              ...pathJson(path),
              ...{ id: version.id, reason: error.message },
            })),
          },
  };
}

/** What went wrong; undefined where nothing did. */
export function failureText({ applied, outcome }: CleanupResult): string | undefined {
  if (outcome === "interrupted") return "stopped by a signal";
  const failures = applied?.failures ?? [];
  if (failures.length === 0) return undefined;
  const lines = failures
    .slice(0, 10)
    .map(({ path, error }) => `  ${textFromRaw(path)}: ${error.message}`);
  return `versions of ${formatFiles(failures.length)} could not be removed:\n${lines.join("\n")}`;
}
