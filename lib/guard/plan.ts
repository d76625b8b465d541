import { unchanged, type Entry } from "../manifest/entry.ts";
import { merge, type Pages } from "../manifest/pages.ts";
import { Counter, type Count } from "../units/count.ts";
import type { RawPath } from "../units/rawpath.ts";

/** What a sync would do, counted before anything is done. */
export interface SyncPlan {
  /** Counted against the manifest, or by one dry run against the destination. */
  readonly from: "manifest" | "dry run";
  /** The files listed in the source, the archive of special files included. */
  readonly source: Count;
  /** The files listed in the source without the archive of special files. */
  readonly ownFiles: number;
  /** What the destination holds; bytes are undefined after a dry run, which does not tell them. */
  readonly held: { readonly files: number; readonly bytes: number | undefined };
  /** The files that the destination holds without the archive of special files. */
  readonly ownHeld: number;
  readonly adds: Count;
  readonly changes: Count;
  readonly deletes: Count;
  /** False when some of the source could not be read: rclone deletes nothing then. */
  readonly complete: boolean;
}

export const archiveName = "special-files.tar.gz";

/**
 * Counts what differs between what the destination holds and what the source holds now. `onChange` gets
 * the files that come or go, in the order of their paths.
 */
export async function countChanges(
  held: Pages<Entry>,
  source: Pages<Entry>,
  onChange?: (path: RawPath, kind: "add" | "delete") => void,
): Promise<SyncPlan> {
  const listed = new Counter();
  const before = new Counter();
  const adds = new Counter();
  const changed = new Counter();
  const deletes = new Counter();
  let archive = 0;
  let heldArchive = 0;
  for await (const page of merge(held, source)) {
    for (const [old, now] of page) {
      if (old !== undefined) {
        before.add(old.size);
        if (old.path === archiveName) heldArchive = 1;
      }
      if (now !== undefined) {
        listed.add(now.size);
        if (now.path === archiveName) archive = 1;
        if (old === undefined) {
          adds.add(now.size);
          onChange?.(now.path, "add");
        } else if (!unchanged(old, now)) changed.add(now.size);
      } else if (old !== undefined) {
        deletes.add(old.size);
        onChange?.(old.path, "delete");
      }
    }
  }
  return {
    from: "manifest",
    source: listed.count,
    ownFiles: listed.files - archive,
    held: before.count,
    ownHeld: before.files - heldArchive,
    adds: adds.count,
    changes: changed.count,
    deletes: deletes.count,
    complete: true,
  };
}

/** The plan when some of the source could not be read, so that what is missing may exist. */
export function withoutDeletes(plan: SyncPlan): SyncPlan {
  return { ...plan, deletes: { files: 0, bytes: 0 }, complete: false };
}

/**
 * All that one run does: what its first sync was to copy and has deleted, and what was counted after
 * it. Measured by what the destination held at first, so that no limit is spent twice.
 */
export function planInAll(first: SyncPlan, deleted: number, rest: SyncPlan): SyncPlan {
  return {
    ...first,
    source: rest.source,
    ownFiles: rest.ownFiles,
    ownHeld: Math.max(first.ownHeld, rest.ownHeld),
    adds: sum(first.adds, rest.adds),
    changes: sum(first.changes, rest.changes),
    deletes: sum({ files: deleted, bytes: first.deletes.bytes }, rest.deletes),
    complete: rest.complete,
  };
}

function sum(one: Count, other: Count): Count {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes };
}

/** What a dry run told: its copies can't be told apart by new and changed, but they add up. */
export interface DryRunCount {
  /** Files of the destination that rclone looked at, deletions included. */
  readonly checks: number;
  readonly copies: Count;
  readonly deletes: Count;
  /** Whether the destination may hold the archive of special files: in the source, or to be deleted. */
  readonly archive: boolean;
}

/** The plan of a dry run. Every file is either paired with one of the destination or new. */
export function planOfDryRun(source: Count, ownFiles: number, dry: DryRunCount): SyncPlan {
  const pairs = Math.max(dry.checks - dry.deletes.files, 0);
  const adds = Math.min(Math.max(source.files - pairs, 0), dry.copies.files);
  const changedFiles = dry.copies.files - adds;
  const share = dry.copies.files === 0 ? 0 : changedFiles / dry.copies.files;
  const changedBytes = Math.round(dry.copies.bytes * share);
  return {
    from: "dry run",
    source,
    ownFiles,
    held: { files: dry.checks, bytes: undefined },
    ownHeld: Math.max(dry.checks - (dry.archive ? 1 : 0), 0),
    adds: { files: adds, bytes: dry.copies.bytes - changedBytes },
    changes: { files: changedFiles, bytes: changedBytes },
    deletes: dry.deletes,
    complete: true,
  };
}
