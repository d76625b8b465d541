import type { Pages } from "../manifest/pages.ts";
import type { Removal, Store, StoredVersion } from "../stores/store.ts";
import type { RawPath } from "../units/rawpath.ts";

/** What is to be removed of one file, in this order: as plan() gives it, the oldest first. */
export interface Removals {
  readonly path: RawPath;
  readonly versions: readonly StoredVersion[];
}

export interface RemovalFailure {
  readonly path: RawPath;
  readonly version: StoredVersion;
  readonly error: Error;
}

/** What came of it, also when it came to an early end. */
export interface Applied {
  /** Files of which everything was removed that should be. */
  readonly files: number;
  /** Versions and markers that were removed. */
  readonly removed: number;
  /** Bytes of them, as stored. */
  readonly bytes: number;
  /** Versions that somebody else had removed already. */
  readonly gone: number;
  readonly failures: readonly RemovalFailure[];
  /** Versions that were left because an older one of their file could not be removed. */
  readonly left: number;
  /** Why it ended before everything was tried. */
  readonly stopped?: Stop;
}

export type Stop =
  | { readonly why: "failures" | "files" | "signal" }
  /** The store or the listing gave up: the error is to be thrown once the counts are told. */
  | { readonly why: "error"; readonly error: unknown };

export interface ApplyOptions {
  /**
   * Stop after so many versions that can't be removed; 100 unless given. Of one call of the store more
   * may fail, so after the first failure no call is of more than are left, or than `least`.
   */
  readonly maxFailures?: number;
  /** Begin with no more than so many files. */
  readonly maxFiles?: number;
  /** How many versions go to the store in one call, and how many files are worked on; 1,000. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onRemoved?: (path: RawPath, version: StoredVersion) => void;
  readonly onFailure?: (failure: RemovalFailure) => void;
  /** After every call of the store. */
  readonly onProgress?: (sofar: Applied) => void;
}

/** As many as a store works on at once anyway. */
const least = 10;

/** A file that is being worked on. */
interface Work {
  readonly removals: Removals;
  next: number;
}

/**
 * Removes versions, each file's oldest first and one after another, of many files together. A
 * version that can't be removed ends the work on its file: a marker must not go while something
 * older is still there. Memory holds a batch of files, however many follow. Never throws: what made
 * an end of it is in `stopped`.
 */
export async function apply(
  store: Pick<Store, "remove">,
  removals: Pages<Removals>,
  options: ApplyOptions = {},
): Promise<Applied> {
  const { maxFailures = 100, maxFiles = Infinity, batch = 1000, signal } = options;
  const failures: RemovalFailure[] = [];
  const total = { files: 0, removed: 0, bytes: 0, gone: 0, left: 0 };
  const source = new Source(removals);
  const works: Work[] = [];
  let begun = 0;
  let stopped: Stop | undefined;
  const sofar = (): Applied => ({ ...total, failures, ...(stopped && { stopped }) });

  try {
    for (;;) {
      signal?.throwIfAborted();
      while (works.length < batch && begun < maxFiles) {
        const found = await source.next();
        if (found === undefined) break;
        if (found.versions.length === 0) continue;
        works.push({ removals: found, next: 0 });
        begun += 1;
      }
      if (works.length === 0) break;
      const most = failures.length === 0 ? batch : Math.max(least, maxFailures - failures.length);
      const wave = takeWave(works, most);
      const answers = await store.remove([...wave.keys()], signal);
      for (const [version, work, error] of judge(wave, answers, total)) {
        const { path, versions } = work.removals;
        if (error === undefined) {
          options.onRemoved?.(path, version);
          work.next += 1;
          if (work.next < versions.length) works.push(work);
          else total.files += 1;
        } else {
          total.left += versions.length - work.next - 1;
          const failure = { path, version, error };
          failures.push(failure);
          options.onFailure?.(failure);
        }
      }
      options.onProgress?.(sofar());
      if (failures.length >= maxFailures) {
        stopped = { why: "failures" };
        break;
      }
    }
    if (stopped === undefined && begun >= maxFiles && (await source.hasMore()))
      stopped = { why: "files" };
  } catch (error) {
    stopped = signal?.aborted === true ? { why: "signal" } : { why: "error", error };
  } finally {
    await source.close();
  }
  return sofar();
}

/** The next version of the first files at work, which are taken off the list. */
function takeWave(works: Work[], most: number): Map<StoredVersion, Work> {
  const wave = new Map<StoredVersion, Work>();
  for (const work of works.splice(0, most)) {
    const version = work.removals.versions[work.next];
    if (version !== undefined) wave.set(version, work);
  }
  return wave;
}

type Judged = readonly [version: StoredVersion, work: Work, error: Error | undefined];

/** What became of each version of a wave; a version without an answer is not known to be gone. */
function judge(
  wave: ReadonlyMap<StoredVersion, Work>,
  answers: readonly Removal[],
  total: { removed: number; bytes: number; gone: number },
): Judged[] {
  const byName = new Map(answers.map((answer) => [answer.version.name, answer]));
  return [...wave].map(([version, work]) => {
    const answer = byName.get(version.name);
    if (answer === undefined || answer.version.id !== version.id)
      return [version, work, new Error("expected an answer of the store, found none")];
    if (answer.result === "failed") return [version, work, answer.error];
    if (answer.result === "gone") total.gone += 1;
    else {
      total.removed += 1;
      total.bytes += version.size;
    }
    return [version, work, undefined];
  });
}

/** Pages, item by item; nothing is fetched before it is asked for. */
class Source {
  readonly #pages: AsyncIterator<readonly Removals[]>;
  #page: readonly Removals[] = [];
  #at = 0;

  constructor(pages: Pages<Removals>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  async next(): Promise<Removals | undefined> {
    while (this.#at >= this.#page.length) {
      const next = await this.#pages.next();
      if (next.done === true) return undefined;
      this.#page = next.value;
      this.#at = 0;
    }
    this.#at += 1;
    return this.#page[this.#at - 1];
  }

  async hasMore(): Promise<boolean> {
    for (;;) {
      const found = await this.next();
      if (found === undefined || found.versions.length > 0) return found !== undefined;
    }
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
