import { existsSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Failure } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { hasElements, idOf, type Value } from "./bson.ts";
import { compareWithFiles } from "./compare.ts";
import { hashContent } from "./content.ts";
import { DocumentFiles } from "./files.ts";
import { writeKey, writeKeyOfDocument, type Key } from "./key.ts";
import { writeMark } from "./mark.ts";
import type { CollectionPlace } from "./place.ts";
import { stageWriter, type StageWriter } from "./stagewriter.ts";
import { publish } from "./staging.ts";
import { newSecret, readState, writeState, type CollectionState, type Known } from "./statefile.ts";
import { syncFiles } from "./sync.ts";
import { DocumentTable } from "./table.ts";

/** How much of what is remembered is checked against the files: nothing, which there are, or what is in them. */
export type Checks = "nothing" | "names" | "contents";

export interface KeptCounts {
  added: number;
  changed: number;
  removed: number;
  /** Bytes of documents that were read; of known ones that were not read, none. */
  bytes: number;
}

/**
 * The files of one collection and what is remembered of them. Documents are taken one by one; files
 * are written for those that are new or changed. close() and settle() end it in any case.
 */
export class KeptDocuments {
  readonly counts: KeptCounts = { added: 0, changed: 0, removed: 0, bytes: 0 };
  readonly #place: CollectionPlace;
  readonly #files: DocumentFiles;
  readonly #state: CollectionState;
  readonly #dryRun: boolean;
  readonly #key: Key = new Uint32Array(4);
  readonly #content = new Uint32Array(4);
  #seen = 0;
  /** Whether files were written or removed. */
  #touched = false;
  /** Whether the state is another than the one that was read. */
  #stale: boolean;
  #known: Known | undefined;
  readonly #beforeChange: () => void;
  /** Whether what is known was made from the files: what is in them may not be what the documents are now. */
  readonly isFromFiles: boolean;
  /** Files of ours that hold no whole document: they go when what they should hold was written, or is gone. */
  readonly #damaged: readonly string[];
  /** Writes the files where the collection is staged. */
  readonly #writer: StageWriter | undefined;
  /** Whether it is staged, and not at its place yet. */
  #isWithheld: boolean;

  private constructor(
    place: CollectionPlace,
    files: DocumentFiles,
    opened: {
      readonly state: CollectionState;
      readonly stale: boolean;
      readonly damaged: readonly string[];
      readonly isFromFiles: boolean;
      readonly writer: StageWriter | undefined;
    },
    { dryRun, beforeChange }: { readonly dryRun: boolean; readonly beforeChange: () => void },
  ) {
    this.#place = place;
    this.#files = files;
    this.#state = opened.state;
    this.#stale = opened.stale;
    this.#damaged = opened.damaged;
    this.#known = opened.state.known;
    this.isFromFiles = opened.isFromFiles;
    this.#dryRun = dryRun;
    this.#beforeChange = beforeChange;
    this.#writer = opened.writer;
    this.#isWithheld = opened.writer !== undefined;
  }

  /**
   * Reads what is remembered. Where that is lost, damaged, or left by a run that did not end, or
   * `checks` says so, it is made anew from the files. Throws failed().
   */
  static async open(
    place: CollectionPlace,
    options: {
      readonly checks: Checks;
      readonly dryRun: boolean;
      /** Whether the files are staged until publish(). */
      readonly staged: boolean;
      /** How many documents there will be. */
      readonly expected: number;
      /** Called before anything is changed. */
      readonly beforeChange: () => void;
      readonly signal: AbortSignal;
    },
  ): Promise<KeptDocuments> {
    const { checks, dryRun, staged, expected, signal } = options;
    const directory = staged ? place.staging : place.directory;
    const files = new DocumentFiles(directory);
    const unfinished = existsSync(place.unfinished);
    if (unfinished && !dryRun) files.removeTemporary();
    // It tells of files that somebody removed with their directory.
    if (staged) await rm(place.state, { force: true });
    const isLost = checks === "contents" || unfinished || staged;
    const read = isLost ? undefined : await readState(place.state, expected);
    const table = read?.table ?? new DocumentTable(expected, newSecret());
    let stale = unfinished;
    let damaged: readonly string[] = [];
    if (read === undefined || checks === "names") {
      const found = await compareWithFiles(table, files, signal);
      stale ||= found.different;
      damaged = found.damaged;
    }
    const state = { table, known: read?.known };
    const writer = staged ? await stageWriter(directory, expected) : undefined;
    const opened = { state, stale, damaged, isFromFiles: read === undefined, writer };
    return new KeptDocuments(place, files, opened, options);
  }

  get documents(): number {
    return this.#state.table.count;
  }

  /** How many were taken or known so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Documents before this time are known, by this field of the collection. */
  get known(): Known | undefined {
    return this.#state.known;
  }

  /** From now on that time is another one. */
  learn(known: Known | undefined): void {
    const { field, time } = this.#known ?? {};
    if (field !== known?.field || time !== known?.time) this.#stale = true;
    this.#known = known;
  }

  /**
   * Takes a document as the server sent it. Throws a partial failure for one without an id or one that
   * is damaged, failed() where it can't be written.
   */
  take(bytes: Uint8Array): void {
    if (!writeKeyOfDocument(bytes, this.#key))
      throw new Failure("partial", "expected an _id in every document, found one without", {
        hint: "files are named by it: leave the collection out with --exclude",
      });
    const { table } = this.#state;
    hashContent(bytes, this.#content);
    this.counts.bytes += bytes.length;
    this.#seen += 1;
    const place = table.find(this.#key);
    if (place >= 0 && table.hasContent(place, this.#content)) {
      table.markSeen(place);
      return;
    }
    if (!hasElements(bytes))
      throw new Failure("partial", "expected whole documents of the server, found a damaged one", {
        hint: "validate the collection on the server, and its storage",
      });
    if (place < 0) this.counts.added += 1;
    else if (!table.isSeen(place)) this.counts.changed += 1;
    if (!this.#dryRun) {
      this.#touch();
      this.#write(bytes);
    }
    table.set(this.#key, this.#content, true);
  }

  #write(bytes: Uint8Array): void {
    if (this.#writer !== undefined) this.#writer.write(bytes);
    else {
      const id = idOf(bytes);
      if (id !== undefined) this.#files.write(id, bytes);
    }
  }

  /** Waits while too much waits to be written. Throws failed(). */
  async ready(): Promise<void> {
    await this.#writer?.ready();
  }

  /** Whether a document is known that has this id; it is not gone then. */
  knows(id: Value): boolean {
    writeKey(id, this.#key);
    const place = this.#state.table.find(this.#key);
    if (place < 0) return false;
    this.#state.table.markSeen(place);
    this.#seen += 1;
    return true;
  }

  /** The documents will be read once more from the beginning. */
  startAgain(): void {
    this.#state.table.forgetSeen();
    this.counts.bytes = 0;
    this.#seen = 0;
  }

  /** Waits until the files of all that came are there. Throws failed(). */
  async flush(): Promise<void> {
    await this.#writer?.flush();
  }

  /** The ids of the documents that were not seen, of long ones as far as the files tell them. */
  *unseenIds(): Generator<Value> {
    const unseen = [...this.#state.table.unseen()];
    for (const { id } of this.#files.documentsOf(unseen)) yield id;
  }

  /** Removes the files of documents that were not seen: only after all there are have been. Throws failed(). */
  async removeGone(): Promise<void> {
    await this.flush();
    const gone = [...this.#state.table.unseen()];
    this.counts.removed = gone.length;
    if (!this.#dryRun && gone.length + this.#damaged.length > 0) {
      this.#touch();
      this.#files.remove(gone);
      this.#files.removeDamaged(this.#damaged);
    }
    for (const key of gone) this.#state.table.remove(key);
  }

  /** Brings what was staged to its place: only after all there are have been seen. Throws failed(). */
  publish(): void {
    if (!this.#isWithheld) return;
    this.#beforeChange();
    publish(this.#place);
    this.#isWithheld = false;
    // An empty one has to be on the disk, too.
    this.#touched = true;
    // Those that an earlier run staged, too: the export did not hold them.
    Object.assign(this.counts, { added: this.documents, changed: 0, removed: 0 });
  }

  /** Ends what writes. */
  async close(): Promise<void> {
    await this.#writer?.close();
  }

  /** Where its files are. */
  get directory(): string {
    return this.#place.directory;
  }

  /** Whether files or what is remembered of them are other ones now. What is staged still has its mark until it is read again. */
  get isUnsettled(): boolean {
    return !this.#dryRun && !this.#isWithheld && (this.#touched || this.#stale);
  }

  /** Writes down what is remembered: after the files are on the disk. Throws failed(). */
  async remember(): Promise<void> {
    await writeState(this.#place.state, { ...this.#state, known: this.#known });
  }

  /** From now on the state is believed: after it is on the disk. */
  async trust(): Promise<void> {
    await rm(this.#place.unfinished, { force: true });
    this.#touched = false;
    this.#stale = false;
  }

  /** Before the first change: who finds this mark does not believe the state. */
  #touch(): void {
    if (this.#touched) return;
    this.#touched = true;
    this.#beforeChange();
    const { unfinished, staging } = this.#place;
    const directory = this.#isWithheld ? staging : this.#place.directory;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw writeFailure(directory, error);
    }
    writeMark(unfinished);
  }
}

/**
 * Syncs what was written for these collections, and remembers it. Until that is done, the mark of each says that its
 * state is not to be believed. Throws failed().
 */
export async function settle(root: string, collections: readonly KeptDocuments[]): Promise<void> {
  const unsettled = collections.filter((each) => each.isUnsettled);
  if (unsettled.length === 0) return;
  // A database can be a file system of its own.
  await syncFiles([root, ...unsettled.map(({ directory }) => directory)]);
  for (const each of unsettled) await each.remember();
  await syncFiles([root]);
  for (const each of unsettled) await each.trust();
}
