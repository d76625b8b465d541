import { join } from "node:path";
import { failed, refused, usage, type Outcome } from "../errors.ts";
import type { FileHistory } from "../history/history.ts";
import { histories, type HistoryOptions } from "../history/group.ts";
import { onePage, type Pages } from "../manifest/pages.ts";
import { LineSpool } from "../process/spool.ts";
import { apply, type Applied } from "../retention/apply.ts";
import { purge, type Decision } from "../retention/plan.ts";
import { readRemovals, spoolRemovals } from "../retention/spool.ts";
import { isSafe } from "../crypt/plainnames.ts";
import { formatVersions } from "../units/format.ts";
import { textFromRaw, rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { distrustManifest } from "./changerecord.ts";
import { withHistory, type OpenHistory } from "./openhistory.ts";
import { held, noNames, watchForeign } from "./ours.ts";
import type { Session } from "./session.ts";
import { requireOwnLock, type Unnamed } from "./unnamed.ts";

/** What would go of what was asked for. */
export interface CleanupPlan {
  readonly files: number;
  /** Old and deleted versions, and markers. */
  readonly versions: number;
  /** Of these, versions that are current: only with `current`. */
  readonly current: number;
  /** Bytes as stored. */
  readonly bytes: number;
}

export interface CleanupOptions {
  /** Whole paths of files or directories; a directory means all below it. */
  readonly paths: readonly RawPath[];
  /** Removes what is current too. */
  readonly current: boolean;
  readonly dryRun: boolean;
  /** Set when the backup was named by its location. */
  readonly unnamed?: Unnamed | undefined;
  /** Gets every version that would go, before anything does. */
  readonly onVersions: (page: readonly CleanupVersion[]) => Promise<void>;
  /** Asked once, with the whole plan, unless `dryRun`. */
  readonly confirm: (plan: CleanupPlan) => Promise<boolean>;
}

export interface CleanupVersion extends Decision {
  readonly path: RawPath;
}

export interface CleanupResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly dryRun: boolean;
  readonly plan: CleanupPlan;
  readonly applied: Applied | undefined;
}

/**
 * Removes all old versions of the paths for good, and with `current` what is there now too. Shows what
 * would go and asks before it does anything.
 * Throws failed when a path matches nothing, refused when the answer is no.
 */
export async function cleanup(session: Session, options: CleanupOptions): Promise<CleanupResult> {
  for (const path of options.paths) requireInside(path);
  const paths = withoutCovered(options.paths);
  if (options.unnamed !== undefined) await requireOwnLock(session, options.unnamed);
  return withHistory(
    session,
    {
      mode: "exclusive",
      command: "rclone-cleanup",
      needs: options.dryRun ? [] : ["deleteFiles"],
    },
    (history) => cleanUp(history, { ...options, paths }),
  );
}

/** An empty path would mean everything. */
function requireInside(path: RawPath): void {
  if (isSafe(path.replace(/\/$/, ""))) return;
  throw usage(
    `expected a path from the top of the backup, found ${JSON.stringify(textFromRaw(path))}`,
    { hint: "write it as rclone-restore --list shows it, without a leading / and without .." },
  );
}

/** Without what lies in another of the paths: no version may come up twice. */
function withoutCovered(paths: readonly RawPath[]): readonly RawPath[] {
  return [...new Set(paths)].filter(
    (path, _, all) => !all.some((other) => other !== path && path.startsWith(directoryOf(other))),
  );
}

function directoryOf(path: RawPath): RawPath {
  return rawFromBytes(`${path.replace(/\/$/, "")}/`);
}

async function cleanUp(history: OpenHistory, options: CleanupOptions): Promise<CleanupResult> {
  const { store, session } = history;
  const { backup, world } = session;
  // What is removed is what was shown and asked about: what the store gets meanwhile stays.
  const removals = join(history.scratch, "removals");
  const plan = await planCleanup(history, options, options.dryRun ? undefined : removals);
  const result = { name: backup.name, outcome: "done", dryRun: options.dryRun, plan } as const;
  if (options.dryRun || plan.versions === 0) return { ...result, applied: undefined };
  if (!(await options.confirm(plan)))
    throw refused("expected yes, found another answer: nothing was removed", {
      hint: "--yes removes without asking; -n only shows what would go",
    });
  if (plan.current > 0) await distrustManifest(history.files);
  const applied = await apply(store, readRemovals(removals), { signal: world.signal });
  if (applied.stopped?.why === "error") {
    if (applied.removed > 0)
      world.events.warn(`removed ${formatVersions(applied.removed)} before the end: run again`);
    throw applied.stopped.error;
  }
  const outcome =
    applied.stopped?.why === "signal"
      ? "interrupted"
      : applied.failures.length > 0
        ? "partial"
        : "done";
  return { ...result, outcome, applied };
}

/**
 * Decides on every version of the paths and shows what would go. What is to be removed is spooled to
 * a file, if one is given.
 */
async function planCleanup(
  history: OpenHistory,
  options: CleanupOptions,
  file: string | undefined,
): Promise<CleanupPlan> {
  const { store, session } = history;
  const { events } = session.world;
  const plan = { files: 0, versions: 0, current: 0, bytes: 0 };
  const seen = noNames();
  const watch = watchForeign(events, seen);
  const spool = file === undefined ? undefined : new LineSpool(file);
  const decide = (each: FileHistory): CleanupVersion[] => {
    const going = planFile(each, options.current, plan);
    if (spool !== undefined)
      spoolRemovals(spool, { path: each.path, versions: going.map(({ version }) => version) });
    return going;
  };
  try {
    for (const path of options.paths) {
      let matched = false;
      for await (const page of held(history, filesAt(history, path, watch), seen)) {
        matched ||= page.length > 0;
        const going = page.flatMap(decide);
        if (going.length > 0) await options.onVersions(going);
      }
      if (!matched)
        throw failed(
          `${store.place}: expected a stored file or directory ${textFromRaw(path)}, found none`,
          { hint: "a path is a whole path from the top of the backup; nothing was removed" },
        );
    }
  } finally {
    spool?.close();
  }
  if (seen.undecodable > 0)
    events.warn(
      `${seen.undecodable} versions below have names that are not of this backup and are left alone (-v names them)`,
    );
  return plan;
}

/** The file of exactly this path and all files below it; `foo` never means `foobar`. */
async function* filesAt(
  history: OpenHistory,
  path: RawPath,
  options: HistoryOptions,
): Pages<FileHistory> {
  const { store, names, session } = history;
  if (!path.endsWith("/")) {
    const stored = names.encode(path, "file");
    const versions = await store.versionsOf(stored, session.world.signal);
    if (versions.length > 0) yield* histories(onePage(versions), names, options);
  }
  yield* history.histories(directoryOf(path), options);
}

function planFile(
  file: FileHistory,
  current: boolean,
  plan: { files: number; versions: number; current: number; bytes: number },
): CleanupVersion[] {
  const going = purge(file, current ? "all" : "old").filter(({ action }) => action === "remove");
  if (going.length === 0) return [];
  plan.files += 1;
  for (const { version } of going) {
    plan.versions += 1;
    plan.bytes += version.size;
    if (version === file.current?.stored) plan.current += 1;
  }
  return going.map((each) => ({ ...each, path: file.path }));
}
