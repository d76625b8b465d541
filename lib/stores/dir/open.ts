import { join } from "node:path";
import { failed, usage } from "../../errors.ts";
import { noPages, type Pages } from "../../manifest/pages.ts";
import { removeEmptyArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import { textFromRaw, type RawPath } from "../../units/rawpath.ts";
import type { Store, StoredVersion, Transactions } from "../store.ts";
import { catFile } from "./cat.ts";
import { changeCurrent, type MayChange, type WantedCurrent } from "./change.ts";
import { below, type DirContext } from "./context.ts";
import { gatherFacts, type Scope } from "./facts.ts";
import { locate } from "./locate.ts";
import { lastFull, LostFiles, type LostFile } from "./lost.ts";
import { removeVersions } from "./remove.ts";
import { undelete } from "./undelete.ts";
import { currentId, markerPrefix, timeline, type KnownRun } from "./timeline.ts";
import { readTold, type Known } from "./told.ts";
import type { Failures } from "./transfer.ts";

export interface DirOptions extends Omit<DirContext, "signal"> {
  /** For messages, without secrets. */
  readonly place: string;
  readonly now: () => Date;
  /** The greatest number that a run had, as the record tells. */
  readonly lastNumber: number;
}

type OnLost = (file: LostFile) => void;

const mostGone = 100_000;

/** A store of dated directories, which can change many files at once. */
export interface DirStore extends Store {
  readonly kind: "dir";
  /** `onLost` is told, after the last page, of each file that runs left there and that is gone without a run. */
  versions(prefix: RawPath, signal?: AbortSignal, onLost?: OnLost): Pages<StoredVersion>;
  /** The runs that were cut off, and that no later run has closed. */
  cutRuns(signal?: AbortSignal): Promise<readonly KnownRun[]>;
  /**
   * Makes older versions current and hides names, all as one run with a directory of its own; but
   * for names that `mayChange` denies. Returns the names for which it could not be done, and why: they hold
   * what they held.
   * Afterwards the manifest in the state no longer says what the destination holds.
   */
  changeCurrent(
    wanted: readonly WantedCurrent[],
    signal?: AbortSignal,
    mayChange?: MayChange,
  ): Promise<Failures>;
}

/**
 * Opens the history that `rclone-backup` keeps with `kind = dir`. Names are plain: rclone decodes
 * them; sizes are those of the plain content. The caller holds the backup's lock, gives a scratch
 * directory and removes it. Whoever changes what is current (makeCurrent, hide, changeCurrent, remove
 * of a current file) must see to it that the record says `trusted: false`.
 */
export function openDir(options: DirOptions): DirStore {
  const { place, now, lastNumber, ...base } = options;
  let known: Promise<Known> | undefined;
  let calls = 0;
  /** Under the lock nobody else changes what is current. */
  let changed = false;
  const transactions: { rclone: number } = { rclone: 0 };
  const emptied = new Set<string>();
  /** What went a moment ago, so that the marker above it needs no look whether it is there. */
  const gone = new Set<string>();
  /** A name for the temporaries of one call. */
  const next = (): string => {
    calls += 1;
    return `call-${calls}`;
  };
  const within = (signal?: AbortSignal): DirContext => ({ ...base, signal });

  const learn = async (signal?: AbortSignal): Promise<Known> => {
    known ??= readTold(within(signal), next());
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  };

  async function* list(scope: Scope, signal?: AbortSignal, onLost?: OnLost): Pages<StoredVersion> {
    signal?.throwIfAborted();
    requireScope(scope);
    const learning = learn(signal);
    transactions.rclone += 2;
    const name = next();
    const facts = gatherFacts(within(signal), learning, scope, name);
    const lost = onLost && new LostFiles(join(base.scratch, `${name}.lost`));
    let sure: number | undefined;
    for await (const page of facts) {
      const { runs } = await learning;
      sure ??= lastFull(runs);
      for (const one of lost === undefined ? [] : page) lost?.see(one, runs, sure);
      const versions = page.flatMap((one) => timeline(one, runs));
      if (versions.length > 0) yield versions;
    }
    if (onLost === undefined || lost === undefined) return;
    for await (const page of lost.files()) for (const file of page) onLost(file);
  }

  const versionsOf: DirStore["versionsOf"] = async (name, signal) => {
    const found: StoredVersion[] = [];
    for await (const page of list({ path: name, exactly: true }, signal)) found.push(...page);
    return found;
  };
  const placesOf = async (
    versions: readonly StoredVersion[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<StoredVersion, StoredVersion>> =>
    changed
      ? locate(versions, async (name) => versionsOf(name, signal))
      : new Map(versions.map((version) => [version, version]));

  const change: DirStore["changeCurrent"] = async (wanted, signal, mayChange) => {
    const versions = wanted.flatMap((wish) => (wish.kind === "version" ? [wish.version] : []));
    const places = await placesOf(versions, signal);
    const located = wanted.map((wish) =>
      wish.kind === "version"
        ? { ...wish, version: places.get(wish.version) ?? wish.version }
        : wish,
    );
    // What was known is out of date, whether this goes well or not.
    known = undefined;
    changed = true;
    transactions.rclone += 1;
    const run = { at: now(), lastNumber, name: next(), mayChange };
    return changeCurrent(within(signal), located, run);
  };
  const changeOne = async (wish: WantedCurrent, signal?: AbortSignal): Promise<void> => {
    for (const [name, why] of await change([wish], signal))
      throw failed(`history: ${textFromRaw(name)}: ${why}`);
  };

  return {
    kind: "dir",
    place,
    now: async () => undefined,
    versions: (prefix, signal, onLost) => list({ path: prefix, exactly: false }, signal, onLost),
    versionsOf,
    cutRuns: async (signal) => (await learn(signal)).runs.filter(({ cut }) => cut === true),
    open: async (version, range, signal) => {
      if (version.kind === "marker")
        throw usage("history: expected a version with content to read, found a deletion");
      transactions.rclone += 1;
      const { id } = version;
      const directory = id === currentId ? base.destination : below(base.history, id);
      return catFile(within(signal), directory, version, next(), range);
    },
    remove: async (versions, signal) => {
      requireOneOfEach(versions);
      const run = { at: now(), lastNumber, name: next() };
      const markers = versions.filter(
        ({ kind, id, name }) =>
          kind === "marker" && !gone.has(`${id.slice(markerPrefix.length)}/${name}`),
      );
      if (markers.length > 0) {
        const left = await undelete(within(signal), await learn(signal), markers, run);
        for (const id of left) emptied.add(id);
        if (left.length > 0) {
          known = undefined;
          changed = true;
        }
      }
      transactions.rclone += 1;
      const places = await placesOf(versions, signal);
      const removals = await removeVersions(within(signal), versions, places, next());
      if (gone.size > mostGone) gone.clear();
      for (const { version, result } of removals) {
        const { id, kind, name } = places.get(version) ?? version;
        if (result === "failed" || kind === "marker" || id === currentId) continue;
        emptied.add(id);
        gone.add(`${id}/${name}`);
      }
      return removals;
    },
    makeCurrent: async (version, signal) => changeOne({ kind: "version", version }, signal),
    hide: async (name, signal) => changeOne({ kind: "nothing", name }, signal),
    changeCurrent: change,
    unfinished: noPages,
    cancel: async () => {
      throw usage("history: expected an unfinished upload, found a store that keeps none");
    },
    transactions: transactions satisfies Transactions,
    close: async () => {
      // Directories that are empty now; an error leaves them standing, and harms nobody.
      for (const run of emptied)
        await runRclone(base.rclone, {
          args: removeEmptyArgs(below(base.history, run), base.tuning),
        });
      emptied.clear();
    },
  };
}

/** A prefix that ends within a name would take in other files than were meant. */
function requireScope({ path, exactly }: Scope): void {
  if (exactly ? path !== "" : path === "" || path.endsWith("/")) return;
  throw new RangeError(
    `expected ${exactly ? "a name" : "a prefix that is empty or ends in a slash"}, found “${textFromRaw(path)}”`,
  );
}

/** The order among versions of one name is the caller's to keep, by a call for each. */
function requireOneOfEach(versions: readonly StoredVersion[]): void {
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    throw new RangeError("expected versions of different names, found two of one");
}
