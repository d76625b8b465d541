import { createReadStream } from "node:fs";
import type { Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import { sortFile } from "../process/sort.ts";
import { LineSpool } from "../process/spool.ts";
import type { RawPath } from "../units/rawpath.ts";
import { fieldFromName } from "../units/field.ts";
import type { PlannedFile } from "./plan.ts";
import { whyRefused } from "./refusal.ts";

/** As much of a file as every spool has. */
interface Spooled extends Pick<PlannedFile, "path" | "target"> {
  readonly version: { readonly size: number };
}

/** A file that waits in the staging directory. */
export interface StagedFile extends Spooled {
  /** Whether the stored bytes were held against the provider's checksum. */
  readonly checked: boolean;
}

/** So many files stay in memory, some tens of megabytes: to write and read them takes longer than to look at them. */
const heldAtMost = 32_768;
const pageSize = 1024;

/** Planned files: a plan may be longer than memory, so from some length on they are on disk, one a line. */
export class PlanSpool<T extends Spooled = PlannedFile> {
  files = 0;
  bytes = 0;
  /** Whether some file has a target under which nothing is written. */
  hasRefused = false;
  readonly #file: string;
  readonly #most: number;
  #held: T[] | undefined = [];
  #lines: LineSpool | undefined;
  #written = 0;

  /** `most`: how many files are kept in memory. */
  constructor(file: string, most = heldAtMost) {
    this.#file = file;
    this.#most = most;
  }

  /** Throws failed() when the file can't be written, as close() does. */
  write(planned: T): void {
    if (this.#held !== undefined && this.#held.length < this.#most) this.#held.push(planned);
    else {
      this.#spill();
      this.#writeLine(planned);
    }
    this.files += 1;
    this.bytes += planned.version.size;
    this.hasRefused ||= whyRefused(planned.target) !== undefined;
  }

  close(): void {
    this.#lines?.close();
  }

  /** What was written, in that order, once it is closed. */
  async *read(): Pages<T> {
    if (this.#held === undefined) yield* readLines<T>(this.#file);
    else yield* pagesOf(this.#held);
  }

  /** The same in the order of the targets; those of one target stay as they came. Throws when sort(1) fails. */
  async sorted(scratch: string, signal: AbortSignal): Promise<Pages<T>> {
    if (this.#held !== undefined)
      return pagesOf(this.#held.toSorted((a, b) => byTarget(a.target, b.target)));
    const file = `${this.#file}.sorted`;
    await sortFile(this.#file, file, scratch, { signal });
    return readLines<T>(file);
  }

  #spill(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#lines = new LineSpool(this.#file);
    for (const planned of held) this.#writeLine(planned);
  }

  #writeLine(planned: T): void {
    this.#lines?.write(toLine(planned, this.#written));
    this.#written += 1;
  }
}

async function* readLines<T>(file: string): Pages<T> {
  for await (const lines of linePages(createReadStream(file, { highWaterMark: 256 * 1024 })))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- toLine wrote them, in this run
    yield lines.map((line) => JSON.parse(line.slice(line.lastIndexOf("\t") + 1)) as T);
}

async function* pagesOf<T>(items: readonly T[]): Pages<T> {
  for (let at = 0; at < items.length; at += pageSize) yield items.slice(at, at + pageSize);
}

/** Raw paths have one byte a character, so this is the order of sort(1). */
function byTarget(a: RawPath, b: RawPath): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const wide = /[^\0-\xff]/;
const wideOnes = /[^\0-\xff]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Begins with the target, so that sort(1) puts the lines in its order, and those of one target stay as
 * they came. Lines are Latin-1; an id may hold anything.
 */
function toLine(planned: Spooled, index: number): string {
  const text = JSON.stringify(planned);
  // Most lines have nothing to replace, and looking for it is the quicker.
  const json = wide.test(text) ? text.replaceAll(wideOnes, escaped) : text;
  return `${fieldFromName(planned.target)}\t${String(index).padStart(12, "0")}\t${json}`;
}
