import { setImmediate } from "node:timers/promises";
import { Cutter } from "../../chunks/cut.ts";
import type { DumpScanner, Section } from "../../dumps/scanner.ts";
import type { DumpInput } from "./input.ts";

export interface CutOptions {
  /** The size that chunks should have, in bytes. */
  readonly target: number;
  readonly signal: AbortSignal;
  /** Gets the bytes read so far. */
  readonly onRead: (bytes: number) => void;
}

export interface ExpectedChunk {
  readonly bytes: number;
  /** Compares; then neither the end of the chunk nor its hash has to be found. */
  isEqual(bytes: Buffer): boolean;
}

/**
 * Takes chunks, in their order: `section` is the same object for all of a section. The bytes stay as they
 * are until what is returned has resolved; several are taken at once.
 */
export interface ChunkTaker {
  /** The chunk that the bytes of a section which come next should be, where an older dump tells that. */
  expect(section: Section): ExpectedChunk | undefined;
  /**
   * Takes bytes at the beginning of a chunk, then those behind them, as soon as they are known. The whole
   * chunk is taken all the same; it may turn out to have less than was taken ahead of it.
   */
  takeAhead(section: Section, bytes: Buffer): Promise<void>;
  /** `equal` is the expected chunk that has just been found equal; then nothing was taken ahead. */
  take(section: Section, bytes: Buffer, equal: ExpectedChunk | undefined): Promise<void>;
}

const readSize = 1024 * 1024;
/** What a scanner may leave undecided, with room to spare. */
const undecided = 128 * 1024;
const takenAtOnce = 8;

/** A buffer, and the chunks in it that are being taken. */
class Pane {
  readonly bytes: Buffer;
  readonly taking: Promise<void>[] = [];

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  async settle(atMost = 0): Promise<void> {
    while (this.taking.length > atMost) await this.taking.shift();
  }
}

/**
 * Reads a dump to its end and cuts it into chunks. Two buffers of a bit more than the largest chunk are
 * all the memory that it takes: while chunks of one are being written, the other one is filled.
 * Throws what the scanner, the input or `taker` throws.
 */
export async function cutDump(
  input: DumpInput,
  scanner: DumpScanner,
  taker: ChunkTaker,
  options: CutOptions,
): Promise<void> {
  const cutting = new Cutting(input, scanner, taker, options);
  try {
    await cutting.run();
  } finally {
    await cutting.end();
  }
}

class Cutting {
  readonly #input: DumpInput;
  readonly #scanner: DumpScanner;
  readonly #taker: ChunkTaker;
  readonly #options: CutOptions;
  readonly #cutter: Cutter;
  #pane: Pane;
  #other: Pane;
  #section: Section = { kind: "head" };
  /** In the pane: where the chunk begins, up to where sections are known, where the bytes end. */
  #start = 0;
  #decided = 0;
  #filled = 0;
  /** How many bytes of the chunk that has begun were taken ahead. */
  #taken = 0;
  #ahead: Promise<number> | undefined;
  /** Of the chunk that has begun; null where nothing is expected, or something else was found. */
  #expected: ExpectedChunk | null | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(input: DumpInput, scanner: DumpScanner, taker: ChunkTaker, options: CutOptions) {
    this.#input = input;
    this.#scanner = scanner;
    this.#taker = taker;
    this.#options = options;
    this.#cutter = new Cutter(options.target);
    const size = this.#cutter.most + undecided + 3 * readSize;
    this.#pane = new Pane(size);
    this.#other = new Pane(size);
  }

  async run(): Promise<void> {
    let total = 0;
    for (let last = false; !last;) {
      this.#ahead ??= this.#read();
      const count = await this.#ahead;
      this.#ahead = undefined;
      last = count === 0;
      this.#filled += count;
      total += count;
      if (this.#start > readSize) await this.#turn();
      // The next bytes are read while these are looked at.
      if (!last) this.#ahead = this.#read();
      await this.#look(last);
      this.#options.onRead(total);
      this.#options.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
    }
    await this.#pane.settle();
    await this.#other.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for what still uses the buffers. */
  async end(): Promise<void> {
    await this.#pane.settle();
    await this.#other.settle();
    if (this.#ahead !== undefined && this.#failure === undefined) {
      // An input that has nothing to say is not waited for.
      this.#ahead.catch(() => {});
    }
  }

  async #read(): Promise<number> {
    return this.#input.read(this.#pane.bytes.subarray(this.#filled, this.#filled + readSize));
  }

  /** Goes on in the other buffer, with what is left of this one. */
  async #turn(): Promise<void> {
    await this.#other.settle();
    this.#pane.bytes.copy(this.#other.bytes, 0, this.#start, this.#filled);
    [this.#pane, this.#other] = [this.#other, this.#pane];
    this.#decided -= this.#start;
    this.#filled -= this.#start;
    this.#start = 0;
  }

  async #look(last: boolean): Promise<void> {
    const { starts, decided } = this.#scanner.scan(
      this.#pane.bytes,
      this.#decided,
      this.#filled,
      last,
    );
    for (const { at, section } of starts) {
      await this.#cut(at, true);
      await this.#give(at);
      this.#section = section;
    }
    this.#decided = decided;
    await this.#cut(decided, last);
    if (last) await this.#give(this.#filled);
    if (this.#filled - this.#decided > undecided && !last)
      throw new Error("the scanner leaves too much undecided");
    await setImmediate();
  }

  /** Cuts what is known of the section, up to its end where `isEnd` says so. */
  async #cut(limit: number, isEnd: boolean): Promise<void> {
    const { bytes } = this.#pane;
    for (;;) {
      if (this.#expected === undefined) {
        const expected = this.#taker.expect(this.#section);
        this.#expected =
          expected !== undefined && expected.bytes <= this.#cutter.most ? expected : null;
      }
      if (this.#expected !== null) {
        const end = this.#start + this.#expected.bytes;
        if (end > limit && !isEnd) return;
        if (end <= limit && this.#expected.isEqual(bytes.subarray(this.#start, end))) {
          await this.#give(end, this.#expected);
          continue;
        }
        this.#expected = null;
      }
      const end = this.#cutter.find(bytes, this.#start, limit);
      if (end === undefined) {
        if (!isEnd) this.#giveAhead(limit);
        return;
      }
      await this.#give(end);
    }
  }

  /** Hands on what is known of the chunk that has begun, if that is worth while. */
  #giveAhead(limit: number): void {
    const from = this.#start + this.#taken;
    if (limit - from < this.#options.target / 16) return;
    const bytes = this.#pane.bytes.subarray(from, limit);
    this.#taken += bytes.length;
    this.#watch(this.#taker.takeAhead(this.#section, bytes));
  }

  /** Hands on the bytes up to `end`, if there are any, and begins a new chunk there. */
  async #give(end: number, equal?: ExpectedChunk): Promise<void> {
    const bytes = this.#pane.bytes.subarray(this.#start, end);
    this.#start = end;
    this.#taken = 0;
    this.#cutter.begin();
    this.#expected = undefined;
    if (bytes.length === 0) return;
    await this.#pane.settle(takenAtOnce - 1);
    this.#watch(this.#taker.take(this.#section, bytes, equal));
  }

  #watch(taking: Promise<void>): void {
    this.#pane.taking.push(
      taking.catch((error: unknown) => {
        this.#failure ??= { error };
      }),
    );
  }
}
