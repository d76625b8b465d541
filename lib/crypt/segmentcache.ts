import type { Segments } from "./segments.ts";

/**
 * Decoded names of directories, which come again and again. Null stands for one that is not ours.
 * When `most` characters are held, all are forgotten.
 */
interface SegmentCache {
  /** Sees to it that all of these are known until the next call. */
  learn(stored: Iterable<string>): void;
  get(stored: string): string | undefined;
}

export function segmentCache(segments: Segments, most = 2_000_000): SegmentCache {
  const known = new Map<string, string | undefined>();
  let held = 0;
  return {
    learn(stored) {
      const wanted = new Set(stored);
      if (held > most) {
        known.clear();
        held = 0;
      }
      const missing: string[] = [];
      // A copy, since a part of a string keeps the whole of it in memory.
      for (const name of wanted) if (!known.has(name)) missing.push(copyOf(name));
      const plain = segments.decode(missing);
      for (const [at, name] of missing.entries()) {
        known.set(name, plain[at]);
        held += name.length + (plain[at]?.length ?? 0);
      }
    },
    get: (stored) => known.get(stored),
  };
}

function copyOf(name: string): string {
  return Buffer.from(name, "latin1").toString("latin1");
}
