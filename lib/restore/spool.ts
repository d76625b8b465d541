import { createReadStream } from "node:fs";
import type { Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import { LineSpool } from "../process/spool.ts";
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

/** Planned files on disk, one a line: a plan may be longer than memory. */
export class PlanSpool<T extends Spooled = PlannedFile> {
  readonly file: string;
  files = 0;
  bytes = 0;
  /** Whether some file has a target under which nothing is written. */
  hasRefused = false;
  readonly #lines: LineSpool;

  /** Throws failed() when the file can't be written, as write() and close() do. */
  constructor(file: string) {
    this.file = file;
    this.#lines = new LineSpool(file);
  }

  write(planned: T): void {
    this.#lines.write(toLine(planned, this.files));
    this.files += 1;
    this.bytes += planned.version.size;
    this.hasRefused ||= whyRefused(planned.target) !== undefined;
  }

  close(): void {
    this.#lines.close();
  }

  /** What was written, once it is closed; from the file of this name where it was sorted into another. */
  async *read(file = this.file): Pages<T> {
    for await (const lines of linePages(createReadStream(file, { highWaterMark: 256 * 1024 })))
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- toLine wrote them, in this run
      yield lines.map((line) => JSON.parse(line.slice(line.lastIndexOf("\t") + 1)) as T);
  }
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
  return `${planned.target}\t${String(index).padStart(12, "0")}\t${json}`;
}
