import { exitCodes } from "../errors.ts";
import type { RotateResult } from "../jobs/rotate.ts";
import type { RestoreResult } from "../jobs/rotate/restore.ts";
import { restorable, type Chain } from "../physical/chains.ts";
import type { Backup } from "../physical/look.ts";
import type { Manifest } from "../physical/manifest.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { escapeText } from "./escape.ts";

/** What a run would do, a line for each backup that it makes or removes. */
export function rotatePlanText({ plan }: RotateResult): string {
  const { make, remove } = plan;
  const gone = remove.flatMap(({ chain, reason }) =>
    chain.backups.map(({ name }) => `remove ${name}: ${reason}\n`),
  );
  return [`make ${make.kind}: ${escapeText(make.reason)}\n`, ...gone].join("");
}

/** What a run did, in a line. */
export function rotateText({ made, removed }: RotateResult): string {
  if (made === undefined) return "nothing was made";
  const tested = made.tested_at === null ? "not tested" : "prepare-tested";
  const gone = removed.length === 0 ? "" : `, ${removed.length} older ones removed`;
  return `${made.name}: ${formatFiles(made.files.length)} (${formatBytes(bytesOf(made))}), ${tested}${gone}`;
}

export function rotateJson(result: RotateResult): object {
  const { outcome, directory, dryRun, plan, made, removed, problems } = result;
  const { make } = plan;
  return {
    ...{ version: 1, kind: "mariadb-rotate", outcome, exit_code: exitCodes[outcome] },
    ...{ dry_run: dryRun, directory },
    plan: {
      make: {
        kind: make.kind,
        base: make.kind === "incremental" ? make.base.name : null,
        reason: make.reason,
      },
      remove: plan.remove.flatMap(({ chain, reason }) =>
        chain.backups.map(({ name }) => ({ name, reason })),
      ),
    },
    made: made === undefined ? null : backupJson(made),
    ...{ removed, problems },
  };
}

export function restoreText({ steps, target, dryRun }: RestoreResult): string {
  const last = steps.at(-1);
  const what = `${target}: as of ${last?.finished_at ?? ""}, from ${steps.map(({ name }) => name).join(", ")}`;
  return `${dryRun ? "would restore" : "restored"} ${escapeText(what)}\n`;
}

export function restoreJson({ outcome, dryRun, steps, target }: RestoreResult): object {
  return {
    ...{ version: 1, kind: "mariadb-restore", outcome, exit_code: exitCodes[outcome] },
    ...{ dry_run: dryRun, target, as_of: steps.at(-1)?.finished_at ?? null },
    backups: steps.map(backupJson),
  };
}

/** A line a backup: its name, when it was finished, its size, and what is to say about it. */
export function backupLines(chains: readonly Chain[]): string {
  return chains
    .flatMap((chain) =>
      chain.backups.map((backup) => {
        const size = formatBytes(bytesOf(backup)).padStart(10);
        return `${backup.name.padEnd(28)} ${backup.finished_at.slice(0, 19)}Z ${size} ${escapeText(noteOf(chain, backup))}\n`;
      }),
    )
    .join("");
}

export function listJson(directory: string, chains: readonly Chain[]): object {
  return {
    ...{ version: 1, kind: "mariadb-backups", directory },
    chains: chains.map((chain) => ({
      name: chain.name,
      whole: chain.problems.length === 0,
      backups: chain.backups.map((backup) => ({
        ...backupJson(backup),
        restorable: restorable(chain).includes(backup),
        problem: chain.problems.find((problem) => problem.backup === backup)?.reason ?? null,
      })),
    })),
  };
}

function noteOf(chain: Chain, backup: Backup): string {
  const problem = chain.problems.find((each) => each.backup === backup);
  if (problem !== undefined) return `broken: ${problem.reason}`;
  if (!restorable(chain).includes(backup)) return "can't be restored";
  return backup.tested_at === null ? "not tested" : "tested";
}

function backupJson(backup: Manifest): object {
  const { name, kind, chain, base, started_at, finished_at, tested_at, program } = backup;
  return {
    ...{ name, kind, chain, base, started_at, finished_at, tested_at },
    ...{ mariadb_backup: program, files: backup.files.length, bytes: bytesOf(backup) },
  };
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, [, size]) => sum + size, 0);
}
