import { decryptContent, readNonce, storedStart, type DecryptOptions } from "../crypt/content.ts";
import { cryptKeys, type CryptKeys } from "../crypt/keys.ts";
import { blockSize, decryptedSize, encryptsContent, headerSize } from "../crypt/sizes.ts";
import type { Store, StoredVersion } from "../stores/store.ts";

/** How stored bytes become those of a file. */
export interface Content {
  /** How far apart, in plain bytes, the places are from which reading can begin. */
  readonly step: number;
  /**
   * The plain bytes from `start` on, a multiple of `step`; a piece may be written over when the next is asked for. `onStored` is given every stored byte in
   * order where reading begins at 0. Throws where the content is damaged.
   */
  read(
    version: StoredVersion,
    start: number,
    onStored: (chunk: Uint8Array) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** The modification time of a version, milliseconds since 1970. */
  modifiedAt(version: StoredVersion, signal: AbortSignal): Promise<number>;
}

/** What content needs of a store. */
type ContentStore = Pick<Store, "open" | "modifiedAt">;

/** The content of a store that keeps files as they are. */
export function plainContent(store: ContentStore): Content {
  return {
    step: 1,
    async modifiedAt(version, signal) {
      const told = version.modifiedAt ?? (await store.modifiedAt?.(version, signal));
      // rclone shows the time of the upload where it set no other.
      return told ?? version.storedAt;
    },
    async *read(version, start, onStored, signal) {
      const range = start === 0 ? undefined : { start };
      for await (const chunk of await store.open(version, range, signal)) {
        const bytes: unknown = chunk;
        if (!(bytes instanceof Uint8Array)) throw new TypeError("expected a stream of bytes");
        onStored(bytes);
        yield bytes;
      }
    },
  };
}

/**
 * The content of a store below crypt remotes, given by their options, outermost first. Each block is
 * authenticated as it is decrypted, and the length is held against that of the listing.
 */
export function cryptContent(
  store: ContentStore,
  crypts: readonly ReadonlyMap<string, string>[],
): Content {
  const stored = plainContent(store);
  const keyed = crypts.filter(encryptsContent).toReversed();
  const [innermost, ...outer] = keyed;
  if (innermost === undefined) return stored;
  let keys: readonly CryptKeys[] | undefined;
  return {
    // Through several layers, there is no beginning but the first.
    modifiedAt: (version, signal) => stored.modifiedAt(version, signal),
    step: outer.length === 0 ? blockSize : Number.MAX_SAFE_INTEGER,
    async *read(version, start, onStored, signal) {
      keys ??= keyed.map(cryptKeys);
      let from: DecryptOptions["from"];
      if (start > 0) {
        const head = await store.open(version, { start: 0, length: headerSize }, signal);
        from = { ...storedStart(start), nonce: readNonce(await joined(head)) };
      }
      let content = stored.read(version, from?.start ?? 0, onStored, signal);
      let storedSize = version.size;
      for (const key of keys) {
        const options = { storedSize, ...(from === undefined ? {} : { from }) };
        content = decryptContent(content, key, options);
        storedSize = decryptedSize(storedSize) ?? 0;
      }
      yield* content;
    },
  };
}

async function joined(chunks: AsyncIterable<unknown>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) if (chunk instanceof Uint8Array) all.push(chunk);
  return Buffer.concat(all);
}
