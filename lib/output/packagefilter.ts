import type { PackageFilterCounts, Unchanged } from "../jobs/packagefilter.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { escapeText } from "./escape.ts";
import { pathJson } from "./names.ts";

/** Rules, one a line; on a terminal what could change it is escaped. */
export function ruleLines(rules: readonly string[], toTerminal: boolean): string {
  return rules.map((rule) => `${toTerminal ? escapeText(rule) : rule}\n`).join("");
}

/** Files as NDJSON: one object a line. */
export function unchangedNdjson(page: readonly Unchanged[]): string {
  return page
    .map(({ path, size, manager, package: owner, rule }) =>
      JSON.stringify({ ...pathJson(path), size, manager, package: owner, rule }),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** What was found, in a line. */
export function packageFilterText(counts: PackageFilterCounts): string {
  const { unchanged, bytes, changed, missing, other, unreadable, unnamed } = counts;
  const rest = Object.entries({ changed, missing, "not a file": other, unreadable, unnamed })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `, ${count} ${name}`);
  return `${formatFiles(unchanged)} of packages left out (${formatBytes(bytes)})${rest.join("")}`;
}
