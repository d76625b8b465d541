import { Cursor, type Pages } from "../manifest/pages.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Ends } from "./ends.ts";
import { formatEnd, type RememberedEnd } from "./endsfile.ts";

export interface EndsWalkOptions {
  /** Gets the lines that are to be remembered from now on, in their order. */
  readonly write: (line: string) => void;
  /** Whether this run looks at the files of that name; what is remembered of others stays. */
  readonly visits: (name: RawPath) => boolean;
}

/**
 * Walks through the remembered ends beside the histories of files, both in the order of the store, and says
 * what is to be remembered next. Memory holds a page of them and those of one file.
 */
export class EndsWalk {
  readonly #cursor: Cursor<RememberedEnd>;
  readonly #options: EndsWalkOptions;
  #begun = false;
  #changed = false;
  #lines = 0;

  constructor(ends: Pages<RememberedEnd>, options: EndsWalkOptions) {
    this.#cursor = new Cursor(ends);
    this.#options = options;
  }

  /** Whether what is to be remembered differs from what was. */
  get changed(): boolean {
    return this.#changed;
  }

  /** Lines that were written so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether take() has anything to do; false for most files, and asking costs no await. */
  reaches(name: RawPath): boolean {
    const { here } = this.#cursor;
    return here === undefined ? !this.#begun : here.name <= name;
  }

  /** What is remembered of the file of this name; names that are passed by are no longer stored. */
  async take(name: RawPath): Promise<Ends | undefined> {
    let found: Map<string, number> | undefined;
    for (let here = await this.#here(); here !== undefined; here = await this.#here()) {
      if (here.name > name) break;
      if (here.name === name) (found ??= new Map()).set(here.id, here.end);
      else this.#pass(here);
      this.#cursor.step();
    }
    return found;
  }

  /** What is to be remembered of the file whose ends were taken last. */
  remember(name: RawPath, ends: Ends, before: Ends | undefined): void {
    for (const [id, end] of ends) this.#write({ name, id, end });
    if (!isSame(ends, before)) this.#changed = true;
  }

  /** Goes on to the end; `more` says that the listing was not looked at until there. */
  async finish(more: boolean): Promise<void> {
    for (let here = await this.#here(); here !== undefined; here = await this.#here()) {
      if (more) this.#write(here);
      else this.#pass(here);
      this.#cursor.step();
    }
  }

  async close(): Promise<void> {
    await this.#cursor.close();
  }

  /** Awaits where a page ends only, so that `here` is undefined at the very end alone. */
  async #here(): Promise<RememberedEnd | undefined> {
    this.#begun = true;
    const { here } = this.#cursor;
    if (here !== undefined) return here;
    return (await this.#cursor.fill()) ? this.#cursor.here : undefined;
  }

  #pass(end: RememberedEnd): void {
    if (this.#options.visits(end.name)) this.#changed = true;
    else this.#write(end);
  }

  #write({ name, id, end }: RememberedEnd): void {
    this.#lines += 1;
    this.#options.write(formatEnd(name, id, end));
  }
}

function isSame(ends: Ends, before: Ends | undefined): boolean {
  if (ends.size !== (before?.size ?? 0)) return false;
  for (const [id, end] of ends) if (before?.get(id) !== end) return false;
  return true;
}
