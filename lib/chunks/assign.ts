import { heaviestIncreasing } from "./increasing.ts";
import { chunkName, largestChunk, largestSection } from "./names.ts";
import { fillNumbers, type Numbering } from "./number.ts";

/** The content of a chunk, as far as it matters for its name: equal hashes stand for equal bytes. */
export interface ChunkContent {
  readonly hash: string;
  readonly bytes: number;
}

export interface OldChunk extends ChunkContent {
  readonly number: number;
}

/** A section of the set that is there; sections and chunks come in the order of their numbers. */
export interface OldSection {
  readonly label: string;
  readonly number: number;
  readonly chunks: readonly OldChunk[];
}

export interface NewSection {
  readonly label: string;
  readonly chunks: readonly ChunkContent[];
}

const sections: Numbering = { largest: largestSection, step: 1_000_000, lastIsFar: true };
const chunks: Numbering = { largest: largestChunk, step: 1000, lastIsFar: false };

/**
 * The names of the chunks of each new section, such that as little as possible gets another name than
 * it has: what is equal keeps its name as long as the order is the same, what was changed takes the
 * name of what stood in its place, and what was added gets one in the gap.
 */
export function assignNames(
  old: readonly OldSection[],
  fresh: readonly NewSection[],
): readonly (readonly string[])[] {
  const matches = matched(old, fresh, ({ label }) => label);
  const weights = fresh.map((section) => bytesOf(section.chunks));
  const kept = heaviestIncreasing(
    fresh.map((_, at) => ({ position: matches[at]?.number, weight: 1 + (weights[at] ?? 0) })),
  );
  const numbers = fillNumbers(
    fresh.map((_, at) => ({
      number: kept.has(at) ? matches[at]?.number : undefined,
      weight: weights[at] ?? 0,
    })),
    sections,
  );
  return fresh.map(({ label, chunks: contents }, at) => {
    const section = numbers[at] ?? 0;
    return chunkNumbers(matches[at]?.chunks ?? [], contents).map((chunk) =>
      chunkName({ section, chunk, label }),
    );
  });
}

function chunkNumbers(old: readonly OldChunk[], fresh: readonly ChunkContent[]): number[] {
  const matches = matched(old, fresh, ({ hash, bytes }) => `${hash} ${bytes}`);
  const kept = heaviestIncreasing(
    fresh.map(({ bytes }, at) => ({ position: matches[at]?.number, weight: 1 + bytes })),
  );
  const numbers: (number | undefined)[] = [];
  const anchors = keptFrom(kept, matches);
  let next = 0;
  for (const at of fresh.keys()) {
    if (kept.has(at)) {
      numbers[at] = matches[at]?.number;
      while (next < old.length && (old[next]?.number ?? 0) <= (numbers[at] ?? 0)) next += 1;
      continue;
    }
    // In the place of the next old one before the next that is kept, if there is one.
    const own = old[next];
    const anchor = anchors[at];
    if (own !== undefined && (anchor === undefined || own.number < anchor)) {
      numbers[at] = own.number;
      next += 1;
    }
  }
  return fillNumbers(
    fresh.map(({ bytes }, at) => ({ number: numbers[at], weight: bytes })),
    chunks,
  );
}

/** For each place, the old number of what is next kept from there on. */
function keptFrom(
  kept: ReadonlySet<number>,
  matches: readonly (OldChunk | undefined)[],
): readonly (number | undefined)[] {
  const anchors: (number | undefined)[] = [];
  let anchor: number | undefined;
  for (let at = matches.length - 1; at >= 0; at -= 1) {
    if (kept.has(at)) anchor = matches[at]?.number;
    anchors[at] = anchor;
  }
  return anchors;
}

/** The old one of each new one: the first of a key for the first of that key, and so on. */
function matched<T, O extends T>(
  old: readonly O[],
  fresh: readonly T[],
  key: (item: T) => string,
): readonly (O | undefined)[] {
  const waiting = new Map<string, { readonly items: O[]; taken: number }>();
  for (const item of old) {
    const place = waiting.get(key(item));
    if (place === undefined) waiting.set(key(item), { items: [item], taken: 0 });
    else place.items.push(item);
  }
  return fresh.map((item) => {
    const place = waiting.get(key(item));
    return place?.items[place.taken++];
  });
}

function bytesOf(contents: readonly ChunkContent[]): number {
  let sum = 0;
  for (const { bytes } of contents) sum += bytes;
  return sum;
}
