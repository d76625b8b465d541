import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Failure } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import { hasElements, idOf, type Value } from "./bson.ts";
import { hashContent } from "./content.ts";
import { DocumentFiles } from "./files.ts";
import { writeKey, writeKeyOfDocument, type Key } from "./key.ts";
import { writeMark } from "./mark.ts";
import type { CollectionPlace } from "./place.ts";
import { readRemembered, type Remembered, type RememberedOptions } from "./remembered.ts";
import { stampOf } from "./stamp.ts";
import { stageWriter, type StageWriter } from "./stagewriter.ts";
import { publish } from "./staging.ts";
import { writeState, type CollectionState, type Known } from "./statefile.ts";

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
  readonly #state: Omit<CollectionState, "stamp">;
  readonly #dryRun: boolean;
  readonly #key: Key = new Uint32Array(4);
  readonly #content = new Uint32Array(4);
  #seen = 0;
  /** Whether files were written or removed. */
  #touched = false;
  /** Whether the state is another than the one that was read. */
  #stale: boolean;
  #known: Known | undefined;
  /** The collection that is read, and the one of which all documents were read. */
  readonly #reads: string;
  #source: string | undefined;
  #stamp = "";
  readonly #beforeChange: () => void;
  /** Files of ours that hold no whole document: they go when what they should hold was written, or is gone. */
  readonly #damaged: readonly string[];
  /** Writes the files where the collection is staged. */
  readonly #writer: StageWriter | undefined;
  /** Whether it is staged, and not at its place yet. */
  #isWithheld: boolean;

  private constructor(
    place: CollectionPlace,
    files: DocumentFiles,
    { state, stale, damaged }: Remembered,
    writer: StageWriter | undefined,
    {
      dryRun,
      source,
      beforeChange,
    }: Pick<RememberedOptions, "dryRun" | "source"> & { readonly beforeChange: () => void },
  ) {
    this.#place = place;
    this.#files = files;
    this.#state = state;
    this.#stale = stale;
    this.#damaged = damaged;
    this.#known = state.known;
    this.#reads = source;
    this.#source = state.source;
    this.#dryRun = dryRun;
    this.#beforeChange = beforeChange;
    this.#writer = writer;
    this.#isWithheld = writer !== undefined;
  }

  /** Opens a collection with what is remembered of it: see readRemembered. Throws failed(). */
  static async open(
    place: CollectionPlace,
    options: RememberedOptions & {
      /** Called before anything is changed. */
      readonly beforeChange: () => void;
    },
  ): Promise<KeptDocuments> {
    const { staged, expected } = options;
    const directory = staged ? place.staging : place.directory;
    const files = new DocumentFiles(directory);
    const remembered = await readRemembered(place, files, options);
    const writer = staged ? await stageWriter(directory, expected) : undefined;
    return new KeptDocuments(place, files, remembered, writer, options);
  }

  get documents(): number {
    return this.#state.table.count;
  }

  /** How many were taken or known so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Whether the files hold the documents of this very collection, as they were once: else all have to be read. */
  get isCurrent(): boolean {
    return this.#state.source !== undefined;
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
    // Not before: a run that ends in the middle has not read all.
    if (this.#source !== this.#reads) this.#stale = true;
    this.#source = this.#reads;
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

  /** Ends what writes. What somebody else changes from now on is noticed by the next run. Throws failed(). */
  async close(): Promise<void> {
    await this.#writer?.close();
    if (this.isUnsettled) this.#stamp = stampOf(this.directory);
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
    const { table } = this.#state;
    const told = { known: this.#known, source: this.#source, stamp: this.#stamp };
    await writeState(this.#place.state, { table, ...told });
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
