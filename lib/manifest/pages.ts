/** Items in order, many at a time: one await per item would cost more than the work. */
export type Pages<T> = AsyncIterable<readonly T[]>;

/** Reads pages item by item, awaiting only where a page ends. */
export class Cursor<T> {
  readonly #pages: AsyncIterator<readonly T[]>;
  #page: readonly T[] = [];
  #at = 0;

  constructor(pages: Pages<T>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** The item at the cursor, when the page at hand still holds one. */
  get here(): T | undefined {
    return this.#page[this.#at];
  }

  step(): void {
    this.#at += 1;
  }

  /** Fetches pages until one holds an item; false at the end. */
  async fill(): Promise<boolean> {
    while (this.#at >= this.#page.length) {
      const next = await this.#pages.next();
      if (next.done === true) return false;
      this.#page = next.value;
      this.#at = 0;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}

const pageLength = 4096;

/**
 * Walks two sequences that are sorted by path and yields, for every path, what each has of it.
 * Throws when one is out of order, since a merge would then drop entries without a word.
 */
export async function* merge<
  A extends { readonly path: string },
  B extends { readonly path: string },
>(left: Pages<A>, right: Pages<B>): Pages<readonly [A | undefined, B | undefined]> {
  const a = new Cursor(ordered(left));
  const b = new Cursor(ordered(right));
  let page: (readonly [A | undefined, B | undefined])[] = [];
  try {
    for (;;) {
      const x = a.here ?? ((await a.fill()) ? a.here : undefined);
      const y = b.here ?? ((await b.fill()) ? b.here : undefined);
      if (x === undefined && y === undefined) break;
      if (y === undefined || (x !== undefined && x.path < y.path)) {
        page.push([x, undefined]);
        a.step();
      } else if (x === undefined || y.path < x.path) {
        page.push([undefined, y]);
        b.step();
      } else {
        page.push([x, y]);
        a.step();
        b.step();
      }
      if (page.length >= pageLength) {
        yield page;
        page = [];
      }
    }
    if (page.length > 0) yield page;
  } finally {
    await a.close();
    await b.close();
  }
}

async function* ordered<T extends { readonly path: string }>(pages: Pages<T>): Pages<T> {
  let last: string | undefined;
  for await (const page of pages) {
    for (const item of page) {
      if (last !== undefined && item.path < last)
        throw new RangeError("expected a listing sorted by path, found one out of order");
      last = item.path;
    }
    yield page;
  }
}

/** A page of nothing, for a manifest or a listing that does not exist. */
export async function* noPages(): Pages<never> {}

/** Items at hand as a sequence of one page. */
export async function* onePage<T>(items: readonly T[]): Pages<T> {
  yield items;
}
