/** A full backup stands for itself; an incremental one holds what changed since the one before it. */
export const kinds = ["full", "incremental"] as const;
export type Kind = (typeof kinds)[number];

/** In the directory of backups: lock, and what is being made, tested or removed. */
export const workName = ".mariadb-rotate";

/** In each backup: what it is, and which files it holds. */
export const manifestName = ".mariadb-rotate.json";

const pattern = /^(\d{8}T\d{6}Z)-(?:full|incremental)$/;

/** Whether a name is one that a backup has. */
export function isBackupName(name: string): boolean {
  return pattern.test(name);
}

/** `20261121T030000Z` of a backup's name; undefined for any other name. */
export function stampOf(name: string): string | undefined {
  return pattern.exec(name)?.[1];
}

/**
 * `20261121T030000Z-full`: when a backup began, in UTC, and its kind. A second that another backup
 * has in its name is passed over.
 */
export function backupName(kind: Kind, at: Date, taken: readonly string[]): string {
  const stamps = new Set(taken.map(stampOf));
  for (let time = at.getTime(); ; time += 1000) {
    const stamp = new Date(time).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    if (!stamps.has(stamp)) return `${stamp}-${kind}`;
  }
}
