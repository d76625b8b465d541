import { setImmediate } from "node:timers/promises";
import { DocumentFiles } from "./files.ts";
import type { DocumentPack } from "./pack.ts";
import { readPacks } from "./readpacks.ts";
import type { DocumentSource } from "./storedfiles.ts";

/** Starting a thread takes longer than reading so many files. */
const fewest = 10_000;

/**
 * The documents of a collection in packs, in the order in which they are to be inserted: read in threads where they are many.
 * Throws what reading throws, and the signal's reason.
 */
export async function* documentPacks(
  source: DocumentSource,
  signal: AbortSignal,
): AsyncGenerator<DocumentPack> {
  for await (const pack of (await byThreads(source, signal)) ?? readPacks(source)) {
    signal.throwIfAborted();
    if (pack === undefined) await setImmediate();
    else yield pack;
  }
}

/** Undefined where they are few, or there can be no thread. */
async function byThreads(
  source: DocumentSource,
  signal: AbortSignal,
): Promise<AsyncGenerator<DocumentPack> | undefined> {
  if (aboutHowMany(source) < fewest) return undefined;
  const { packsByThreads } = await import("./readthread.ts");
  return packsByThreads(source, signal);
}

/** How many documents a collection has, by some of its directories, into which a hash divides them. */
export function aboutHowMany({ directory }: Pick<DocumentSource, "directory">): number {
  const files = new DocumentFiles(directory);
  const shards = files.shards();
  const some = shards.slice(0, 32);
  const inSome = some.reduce((sum, shard) => sum + files.names(shard).length, 0);
  return some.length === 0 ? 0 : (inSome / some.length) * shards.length;
}
