import type { UnitsResult } from "../jobs/units.ts";
import { escapeText } from "./escape.ts";

/** What was written and what to type next; for a dry run, every file with its text. */
export function unitsText({ files, next, dryRun }: UnitsResult): string {
  const written = files.map(({ path, mode, text, change }) => {
    const head = `${changes[change]} ${escapeText(path)}`;
    return dryRun ? `${head} (mode ${octal(mode)})\n${indented(text)}` : `${head}\n`;
  });
  const steps = next.map((line) => `  ${escapeText(line)}\n`);
  return [...written, ...(steps.length === 0 ? [] : ["next:\n", ...steps])].join("");
}

export function unitsJson({ kind, dryRun, files, next }: UnitsResult): object {
  return {
    version: 1,
    kind: "units",
    outcome: "done",
    exit_code: 0,
    dry_run: dryRun,
    format: kind,
    files: files.map(({ path, mode, text, change }) => ({ path, mode: octal(mode), change, text })),
    next,
  };
}

const changes = { new: "new     ", same: "same    ", replaced: "replaced" } as const;

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "\n" : `    ${escapeText(line)}\n`))
    .join("");
}
