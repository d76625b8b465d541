import type { JoinResult } from "../jobs/join.ts";
import type { SplitResult } from "../jobs/split.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import type { Terminal } from "./terminal.ts";

/** Tells what a split did: as JSON, as the files of a dry run, or by how much is to be told. */
export async function tellSplit(
  result: SplitResult,
  terminal: Terminal,
  asJson: boolean,
): Promise<void> {
  if (asJson) await terminal.result(splitJson(result));
  else if (result.dryRun) await terminal.result(splitLines(result));
  else terminal.detail(2, splitLines(result).trimEnd());
  terminal.detail(1, splitText(result));
}

/** What a split did, or would do: one JSON document, version 1. */
function splitJson(result: SplitResult): string {
  const { kind, dryRun, files, bytes, unchanged, newBytes } = result;
  const { changed, added, removed, renamed } = result;
  return `${JSON.stringify({
    version: 1,
    kind: "split",
    dry_run: dryRun,
    program: kind.program,
    program_version: kind.version ?? null,
    ...{ files: files.length, bytes, unchanged, new_bytes: newBytes },
    ...{ changed, added, removed, renamed },
  })}\n`;
}

/** What a split did, in a line. */
function splitText(result: SplitResult): string {
  const { dryRun, files, bytes, unchanged, changed, added, removed, newBytes } = result;
  const counts = Object.entries({
    unchanged,
    changed: changed.length,
    added: added.length,
    removed: removed.length,
  }).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]));
  const written = dryRun ? "would be written" : "written";
  return `${formatFiles(files.length)} (${formatBytes(bytes)}): ${counts.join(", ")}; ${formatBytes(newBytes)} ${written}`;
}

/** A line for each file that is not as it was. */
function splitLines({ changed, added, removed }: SplitResult): string {
  const lines = [
    ...changed.map((name) => ({ name, mark: "changed" })),
    ...added.map((name) => ({ name, mark: "added" })),
    ...removed.map((name) => ({ name, mark: "removed" })),
  ].toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return lines.map(({ name, mark }) => `${mark.padEnd(8)} ${name}\n`).join("");
}

/** What was joined or verified: one JSON document, version 1. */
export function joinJson(result: JoinResult, onlyVerified: boolean): string {
  const { program, programVersion, files, bytes } = result;
  return `${JSON.stringify({
    version: 1,
    kind: "join",
    only_verified: onlyVerified,
    program,
    program_version: programVersion ?? null,
    files,
    bytes,
  })}\n`;
}

/** What was joined or verified, in a line. */
export function joinText({ files, bytes }: JoinResult, what: "joined" | "verified"): string {
  return `${formatFiles(files)} ${what} (${formatBytes(bytes)})`;
}
