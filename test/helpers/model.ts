// What a backup should hold at every time, kept as plainly as can be: no line of it is the library's.

/** A file at one moment. */
export interface ModelFile {
  readonly content: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** One content of a path, and the span of time in which the backup held it. */
export interface ModelVersion {
  readonly file: ModelFile;
  readonly from: number;
  /** Undefined while it is current. */
  readonly until: number | undefined;
  /** Whether a deletion made the end of it. */
  readonly deleted: boolean;
}

interface Event {
  readonly time: number;
  file: ModelFile | undefined;
}

/** A span of time in which other answers are right for a path too: a run was killed in it. */
interface Doubt {
  readonly path: string;
  readonly from: number;
  readonly until: number;
  readonly answers: readonly (ModelFile | undefined)[];
}

/** Every state of a backup. */
export class Model {
  readonly #events = new Map<string, Event[]>();
  readonly #pruned = new Map<string, Set<number>>();
  readonly #maybe = new Set<string>();
  readonly #doubts: Doubt[] = [];

  /** From this time on the path holds the file, or nothing. */
  set(path: string, time: number, file: ModelFile | undefined): void {
    const events = this.#events.get(path) ?? [];
    this.#events.set(path, events);
    if (file === undefined && this.current(path) === undefined) return;
    events.push({ time, file });
  }

  /** Another modification time for what is current, which stays the version that it was. */
  touch(path: string, modifiedAt: number): void {
    const last = this.#events.get(path)?.at(-1);
    if (last?.file !== undefined) last.file = { ...last.file, modifiedAt };
  }

  /** Nobody can tell when in this span the path changed: these answers are right as well. */
  doubt(path: string, from: number, until: number, answers: Doubt["answers"]): void {
    this.#doubts.push({ path, from, until, answers });
  }

  /** What else is right in a span in which the path changed nobody knows when. */
  doubtsAt(path: string, time: number): Doubt["answers"] {
    return this.#doubts
      .filter((doubt) => doubt.path === path && doubt.from <= time && time < doubt.until)
      .flatMap(({ answers }) => answers);
  }

  get paths(): string[] {
    return [...this.#events.keys()].toSorted();
  }

  current(path: string): ModelFile | undefined {
    return this.#events.get(path)?.at(-1)?.file;
  }

  /** When the path was deleted, if it is. */
  deletedAt(path: string): number | undefined {
    const last = this.#events.get(path)?.at(-1);
    return last?.file === undefined ? last?.time : undefined;
  }

  at(path: string, time: number): ModelFile | undefined {
    return this.#events.get(path)?.findLast((event) => event.time <= time)?.file;
  }

  /** Every version that there has ever been, oldest first. */
  versions(path: string): ModelVersion[] {
    const events = this.#events.get(path) ?? [];
    return events.flatMap(({ time, file }, index) => {
      const next = events[index + 1];
      if (file === undefined) return [];
      return [{ file, from: time, until: next?.time, deleted: next !== undefined && !next.file }];
    });
  }

  /** Those that no prune has removed, oldest first. */
  kept(path: string): ModelVersion[] {
    return this.versions(path).filter(({ from }) => this.isKept(path, from));
  }

  isKept(path: string, from: number): boolean {
    return this.#pruned.get(path)?.has(from) !== true;
  }

  /** A prune has removed the version that began then. */
  prune(path: string, from: number): void {
    const pruned = this.#pruned.get(path) ?? new Set();
    this.#pruned.set(path, pruned.add(from));
  }

  /** A prune may have removed the version that began then. */
  mayBePruned(path: string, from: number): void {
    this.#maybe.add(`${from} ${path}`);
  }

  isPrunedPerhaps(path: string, from: number): boolean {
    return this.#maybe.has(`${from} ${path}`);
  }
}

/**
 * What may be told of a path as of a time. Where it held nothing: nothing. Where it held a version
 * that is still there: that one. Where a prune removed that version: nothing, or the newest older one
 * that is left, unless the file had been deleted in between; never one that came later.
 */
export function allowedAt(
  model: Model,
  path: string,
  time: number,
): readonly (ModelFile | undefined)[] {
  const versions = model.versions(path);
  const found = versions.findLast(
    ({ from, until }) => from <= time && (until === undefined || time < until),
  );
  const doubtful = model
    .doubtsAt(path, time)
    .flatMap((answer): (ModelVersion | undefined)[] =>
      answer === undefined
        ? [undefined]
        : versions.filter(({ file }) => file.content === answer.content),
    );
  return [found, ...doubtful].flatMap((version) =>
    version === undefined ? [undefined] : standIns(model, path, version),
  );
}

/** What may be told where a version is the right answer. */
function standIns(
  model: Model,
  path: string,
  { from, file }: ModelVersion,
): (ModelFile | undefined)[] {
  const isKept = model.isKept(path, from);
  const answers = isKept ? [file] : [];
  if (isKept && !model.isPrunedPerhaps(path, from)) return answers;
  // The next older one, of which that may not be known either, if nothing had deleted it before.
  const older = model.versions(path).filter((other) => other.from < from);
  for (const other of older.toReversed()) {
    if (other.deleted) break;
    if (!model.isKept(path, other.from)) continue;
    answers.push(other.file);
    if (!model.isPrunedPerhaps(path, other.from)) break;
  }
  return [...answers, undefined];
}
