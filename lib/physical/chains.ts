import type { Backup } from "./look.ts";

/** What keeps a backup from being built upon, or from being restored. */
export interface Problem {
  readonly backup: Backup;
  readonly reason: string;
  /** Found now, and not written down yet. */
  readonly isNew: boolean;
  /** By it, this backup and those after it can't be restored; without, nobody knows. */
  readonly isCertain: boolean;
}

/** A full backup and the incremental ones that build on it. They are of use together only. */
export interface Chain {
  /** Name of the full backup. */
  readonly name: string;
  /** In order, the full one first. */
  readonly backups: readonly Backup[];
  readonly problems: readonly Problem[];
}

/** Backups, in the order of their numbers, as chains: the one that was begun first is the first. */
export function chainsOf(backups: readonly Backup[]): readonly Chain[] {
  const groups = new Map<string, Backup[]>();
  for (const backup of backups) {
    const group = groups.get(backup.chain);
    if (group === undefined) groups.set(backup.chain, [backup]);
    else group.push(backup);
  }
  return [...groups].map(([name, members]) => ({
    name,
    backups: members,
    problems: members.flatMap((backup, at) => problemOf(backup, members[at - 1])),
  }));
}

function problemOf(backup: Backup, before: Backup | undefined): readonly Problem[] {
  const { broken } = backup;
  const certain = linkProblem(backup, before) ?? backup.damage;
  const reason = certain ?? broken?.reason;
  if (reason === undefined) return [];
  return [{ backup, reason, isNew: broken === null, isCertain: certain !== undefined }];
}

function linkProblem(backup: Backup, before: Backup | undefined): string | undefined {
  if (before === undefined && backup.kind === "full") return undefined;
  if (before === undefined)
    return `the backup that it builds on is gone: ${backup.base ?? backup.chain}`;
  if (backup.base !== before.name)
    return `the backup that it builds on is gone: ${backup.base ?? backup.chain}`;
  if (backup.from_lsn !== before.to_lsn)
    return `it begins at LSN ${backup.from_lsn}, and the one before it ends at ${before.to_lsn}`;
  return undefined;
}

/** The first backups of a chain, up to the first that can't be restored. */
export function restorable({ backups, problems }: Chain): readonly Backup[] {
  const first = problems.find(({ isCertain }) => isCertain);
  return first === undefined ? backups : backups.slice(0, backups.indexOf(first.backup));
}
