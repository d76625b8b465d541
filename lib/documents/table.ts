/** What is known of a document: its key (see key.ts) and the digest of its content, four words each. */
const recordWords = 8;
const fewest = 1024;

/**
 * The documents of a collection, as fixed-width records in an open-addressing table: 32 bytes and a
 * mark each, where a Map would take ten times that. Places are chosen with a secret of this process,
 * so that nobody can make ids that collide.
 */
export class DocumentTable {
  #words: Uint32Array;
  /** 0: no record; 1: a record; 2: a record that was seen. */
  #marks: Uint8Array;
  #mask: number;
  #count = 0;
  readonly #secret: number;

  /** Makes room for so many records at once; `secret` is any 32-bit number. */
  constructor(expected: number, secret: number) {
    this.#secret = secret;
    const capacity = capacityFor(expected);
    this.#words = new Uint32Array(capacity * recordWords);
    this.#marks = new Uint8Array(capacity);
    this.#mask = capacity - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Where the record of a key is; -1 where there is none. Good until something is added or removed. */
  find(key: Uint32Array): number {
    const slot = this.#slotOf(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0);
    return this.#marks[slot] === 0 ? -1 : slot;
  }

  isSeen(place: number): boolean {
    return this.#marks[place] === 2;
  }

  /** Whether the content is the one that was recorded. */
  hasContent(place: number, content: Uint32Array): boolean {
    const at = place * recordWords + 4;
    const words = this.#words;
    return (
      words[at] === content[0] &&
      words[at + 1] === content[1] &&
      words[at + 2] === content[2] &&
      words[at + 3] === content[3]
    );
  }

  markSeen(place: number): void {
    this.#marks[place] = 2;
  }

  /** Adds a record or replaces its content. */
  set(key: Uint32Array, content: Uint32Array, seen: boolean): void {
    if ((this.#count + 1) * 4 > (this.#mask + 1) * 3) this.#grow();
    const slot = this.#slotOf(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0);
    if (this.#marks[slot] === 0) this.#count += 1;
    this.#marks[slot] = seen ? 2 : 1;
    this.#words.set(key, slot * recordWords);
    this.#words.set(content, slot * recordWords + 4);
  }

  /** Takes a record out; those behind it move up, as linear probing wants it (Knuth, 6.4 R). */
  remove(key: Uint32Array): void {
    let hole = this.find(key);
    if (hole < 0) return;
    this.#count -= 1;
    for (
      let slot = (hole + 1) & this.#mask;
      this.#marks[slot] !== 0;
      slot = (slot + 1) & this.#mask
    ) {
      const home = this.#homeOf(slot);
      // It stays where its home lies between the hole and itself.
      if (((slot - home) & this.#mask) < ((slot - hole) & this.#mask)) continue;
      this.#words.copyWithin(hole * recordWords, slot * recordWords, (slot + 1) * recordWords);
      this.#marks[hole] = this.#marks[slot] ?? 0;
      hole = slot;
    }
    this.#marks[hole] = 0;
  }

  /** From now on, none has been seen. */
  forgetSeen(): void {
    const marks = this.#marks;
    for (let slot = 0; slot < marks.length; slot += 1) if (marks[slot] === 2) marks[slot] = 1;
  }

  /** Copies of the keys of the records that were not seen. */
  *unseen(): Generator<Uint32Array> {
    const marks = this.#marks;
    for (let slot = 0; slot < marks.length; slot += 1)
      if (marks[slot] === 1) yield this.#words.slice(slot * recordWords, slot * recordWords + 4);
  }

  /** All records, one after another. */
  records(): Uint32Array {
    const all = new Uint32Array(this.#count * recordWords);
    let at = 0;
    for (const [slot, mark] of this.#marks.entries()) {
      if (mark === 0) continue;
      const from = slot * recordWords;
      all.set(this.#words.subarray(from, from + recordWords), at);
      at += recordWords;
    }
    return all;
  }

  /** A table of such records, none of them seen, with room for more. */
  static of(records: Uint32Array, expected: number, secret: number): DocumentTable {
    const table = new DocumentTable(Math.max(records.length / recordWords, expected), secret);
    for (let at = 0; at < records.length; at += recordWords) table.#add(records, at, 1);
    return table;
  }

  #slotOf(a: number, b: number, c: number, d: number): number {
    let slot = mixed(a, b, c, d, this.#secret) & this.#mask;
    const words = this.#words;
    while (this.#marks[slot] !== 0) {
      const at = slot * recordWords;
      if (
        words[at] === a >>> 0 &&
        words[at + 1] === b >>> 0 &&
        words[at + 2] === c >>> 0 &&
        words[at + 3] === d >>> 0
      )
        return slot;
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  #homeOf(slot: number): number {
    const at = slot * recordWords;
    const words = this.#words;
    return (
      mixed(
        words[at] ?? 0,
        words[at + 1] ?? 0,
        words[at + 2] ?? 0,
        words[at + 3] ?? 0,
        this.#secret,
      ) & this.#mask
    );
  }

  #grow(): void {
    const [words, marks] = [this.#words, this.#marks];
    const capacity = marks.length * 2;
    this.#words = new Uint32Array(capacity * recordWords);
    this.#marks = new Uint8Array(capacity);
    this.#mask = capacity - 1;
    this.#count = 0;
    for (let slot = 0; slot < marks.length; slot += 1)
      if (marks[slot] !== 0) this.#add(words, slot * recordWords, marks[slot] ?? 0);
  }

  /** Takes over a record that is not there yet, and for which there is room. */
  #add(words: Uint32Array, at: number, mark: number): void {
    const slot = this.#slotOf(
      words[at] ?? 0,
      words[at + 1] ?? 0,
      words[at + 2] ?? 0,
      words[at + 3] ?? 0,
    );
    const to = slot * recordWords;
    for (let word = 0; word < recordWords; word += 1)
      this.#words[to + word] = words[at + word] ?? 0;
    if (this.#marks[slot] === 0) this.#count += 1;
    this.#marks[slot] = mark;
  }
}

function capacityFor(records: number): number {
  let capacity = fewest;
  while (capacity * 3 < records * 4 + 4) capacity *= 2;
  return capacity;
}

/** MurmurHash3's mixing of 32-bit words (public domain, Austin Appleby). */
function mixed(a: number, b: number, c: number, d: number, secret: number): number {
  let hash = secret;
  hash = mixedIn(hash, a);
  hash = mixedIn(hash, b);
  hash = mixedIn(hash, c);
  hash = mixedIn(hash, d);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

function mixedIn(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e_2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
  const next = hash ^ k;
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe654_6b64) | 0;
}
