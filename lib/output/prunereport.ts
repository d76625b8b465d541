import type { FileDecision, PruneResult } from "../jobs/prune/options.ts";
import type { Applied } from "../retention/apply.ts";
import { exitCodes } from "../errors.ts";
import { formatBytes, formatFiles, formatVersions } from "../units/format.ts";
import { pathBytes, pathJson } from "./names.ts";

/** A line a version: what becomes of it, when it was stored, how long it is, which file, and why. */
export function decisionPage(decisions: readonly FileDecision[], toTerminal: boolean): Buffer {
  return Buffer.concat(
    decisions.flatMap((decision) => {
      const { version, action, path, reason } = decision;
      const time = new Date(version.storedAt).toISOString();
      const size = version.kind === "marker" ? "deletion" : String(version.size);
      const head = `${action.padEnd(6)} ${time} ${size.padStart(12)} `;
      return [
        Buffer.from(head),
        pathBytes(path, toTerminal),
        Buffer.from(`  (${why(decision)}${reason})\n`),
      ];
    }),
  );
}

function why({ policy, line }: FileDecision): string {
  if (policy === "purge") return "";
  return line === undefined ? `${policy}: ` : `${policy}, ${line}: `;
}

export function decisionNdjson(decisions: readonly FileDecision[]): string {
  return decisions.map((decision) => `${JSON.stringify(decisionJson(decision))}\n`).join("");
}

function decisionJson({ path, version, action, reason, policy, line }: FileDecision): object {
  return {
    ...{ version: 1, kind: "decision", action, ...pathJson(path) },
    ...{ is: version.kind, id: version.id, stored: new Date(version.storedAt).toISOString() },
    ...{ size: version.size, policy, line: line ?? null, reason },
  };
}

/** The result as one document. */
export function pruneJson(result: PruneResult): object {
  const { name, outcome, dryRun, now, seen, planned, applied, unfinished, more } = result;
  return {
    ...{ version: 1, kind: "prune", name, outcome, exit_code: exitCodes[outcome] },
    ...{ dry_run: dryRun, now, seen, planned, more },
    removed: applied === undefined ? null : appliedJson(applied),
    ...{ unfinished, undecodable: result.undecodable, transactions: result.transactions },
    ...{ message: result.message ?? null, hint: result.hint ?? null },
  };
}

function appliedJson({ files, removed, bytes, gone, left, failures, stopped }: Applied): object {
  return {
    ...{ files, versions: removed, bytes, gone, left, stopped: stopped?.why ?? null },
    failures: failures.map(({ path, version, error }) => ({
      ...pathJson(path),
      ...{ id: version.id, reason: error.message },
    })),
  };
}

/** The result in a line or two. */
export function pruneLines({
  planned,
  applied,
  unfinished,
  seen,
  dryRun,
  more,
}: PruneResult): string {
  const of = `of ${formatVersions(seen.versions)} of ${formatFiles(seen.files)}`;
  const what = applied ?? { removed: planned.versions, bytes: planned.bytes };
  const lines = [
    `${dryRun ? "would remove" : "removed"} ${formatVersions(what.removed)} (${formatBytes(what.bytes)}) ${of}`,
  ];
  if (more) lines.push("stopped at --max-files: there is more to remove");
  if (unfinished.cancelled > 0)
    lines.push(
      `${dryRun ? "would cancel" : "cancelled"} ${unfinished.cancelled} unfinished ${unfinished.cancelled === 1 ? "upload" : "uploads"} (${formatBytes(unfinished.bytes)})`,
    );
  return `${lines.join("\n")}\n`;
}

export function undecodableText({ undecodable }: Pick<PruneResult, "undecodable">): string {
  return `${undecodable} ${undecodable === 1 ? "version has a name that is" : "versions have names that are"} not of this backup and ${undecodable === 1 ? "was" : "were"} left alone (-v names them)`;
}
