import type { RawPath } from "../units/rawpath.ts";
import { excludeRule } from "./exact.ts";

/** Editors' backup and lock files: never worth a backup. They stand before every other rule. */
const builtInRules: readonly string[] = ["- *~", "- .#*"];

/**
 * The same rules in words that rclone's matcher is quicker with: as globs, these two alone cost a
 * quarter of the time of a listing. They match files only, as the globs do.
 */
const quickly: ReadonlyMap<string, string> = new Map([
  ["- *~", "- /{{.*~}}"],
  ["- .#*", "- /{{(.*/)?\\.#[^/]*}}"],
]);

/** The archive of special files, which no rule of the user's may lose. */
const archiveRule = "+ /special-files.tar.gz";

export interface RuleSets {
  /** Where below the source our own state is: it changes in every run, and is never backed up. */
  readonly ownState?: RawPath | undefined;
  readonly filters: readonly string[];
  /** Given only where test filters apply; they come before the filters, so that they take effect. */
  readonly testFilters?: readonly string[];
  /** Whether the source holds an archive of special files. */
  readonly archive: boolean;
}

/** The rules in the order in which rclone gets them: it takes the first that matches. */
export function effectiveRules(sets: RuleSets): readonly string[] {
  return [
    ...builtInRules,
    ...(sets.ownState === undefined ? [] : [excludeRule(sets.ownState, true)]),
    ...(sets.archive ? [archiveRule] : []),
    ...(sets.testFilters ?? []),
    ...sets.filters,
  ];
}

/** Rules that mean the same and let rclone list a source in less time. */
export function quickRules(rules: readonly string[]): readonly string[] {
  return rules.map((rule) => quickly.get(rule) ?? rule);
}

/** The text of a --filter-from file. */
export function rulesText(rules: readonly string[]): string {
  return rules.map((rule) => `${rule}\n`).join("");
}
