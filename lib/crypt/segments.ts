import { failed } from "../errors.ts";
import { aesBlock, makeEme, mostBlocks } from "./eme.ts";
import type { CryptKeys } from "./keys.ts";
import type { TextEncoding } from "./textencoding.ts";

/** How the segments of a path are stored, each by itself. None of them is empty. */
export interface Segments {
  /** Undefined for a segment that was not stored this way. */
  decode(stored: readonly string[]): readonly (string | undefined)[];
  /** Throws for a segment that can't be stored. */
  encode(plain: string): string;
}

/** Bytes of a batch; a longer segment than `longest` can't be ours. */
const batchSize = 65_536;
const longest = 4096;
/** Marks control characters and the slash: in rclone's standard encoding no name holds them. */
const inNoName = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === 0x2f || byte === 0x7f ? 1 : 0,
);
/** Bytes of names that become text with one call. */
const textAtOnce = 512;

/** What rclone calls standard: padded, encrypted with EME and written in an encoding. */
export function standardSegments(
  keys: Pick<CryptKeys, "name" | "tweak">,
  encoding: TextEncoding,
): Segments {
  const eme = makeEme(keys.name, keys.tweak);
  const text = Buffer.alloc(batchSize + longest);
  const data = Buffer.from(new ArrayBuffer(batchSize + longest));
  const blocks = new Uint8Array((batchSize + longest) / aesBlock);
  /** Which segment each message of the batch is. */
  const owners = new Uint32Array(blocks.length);

  /** Decodes segments from `from` on, as many as fit, and returns where the rest begins. */
  function batch(stored: readonly string[], from: number, plain: (string | undefined)[]): number {
    const end = batchEnd(stored, from);
    text.write(stored.slice(from, end).join(""), "latin1");
    let read = 0;
    let written = 0;
    let count = 0;
    for (let i = from; i < end; i += 1) {
      const length = stored[i]?.length ?? 0;
      const bytes = length > longest ? -1 : encoding.decode(text, read, length, data, written);
      read += length;
      if (bytes <= 0 || bytes % aesBlock !== 0 || bytes > mostBlocks * aesBlock) continue;
      blocks[count] = bytes / aesBlock;
      owners[count] = i;
      count += 1;
      written += bytes;
    }
    const used = blocks.subarray(0, count);
    eme.decrypt(data.subarray(0, written), used);
    const textOf = textReader(data.subarray(0, written));
    let at = 0;
    for (let message = 0; message < count; message += 1) {
      const next = at + aesBlock * (used[message] ?? 0);
      const nameEnd = unpadded(data, at, next);
      if (nameEnd > at) plain[owners[message] ?? 0] = fileName(textOf(at, nameEnd));
      at = next;
    }
    return end;
  }

  return {
    decode(stored) {
      const plain: (string | undefined)[] = Array.from({ length: stored.length });
      for (let at = 0; at < stored.length;) at = batch(stored, at, plain);
      return plain;
    },
    encode(plain) {
      const padding = aesBlock - (plain.length % aesBlock);
      const length = plain.length + padding;
      if (length > mostBlocks * aesBlock)
        throw failed(
          `expected a name of fewer than ${mostBlocks * aesBlock} bytes, found one of ${plain.length}`,
        );
      const message = Buffer.from(new ArrayBuffer(length)).fill(padding);
      message.write(plain, "latin1");
      eme.encrypt(message, Uint8Array.of(length / aesBlock));
      return encoding.encode(message);
    },
  };
}

/** A segment that is too long stands alone, and is not read. */
function batchEnd(stored: readonly string[], from: number): number {
  let size = 0;
  let end = from;
  while (end < stored.length && size < batchSize) {
    size += stored[end]?.length ?? 0;
    if (size > batchSize + longest) return Math.max(end, from + 1);
    end += 1;
  }
  return end;
}

/**
 * Reads text at rising places. That of several names at once, since the call costs more than the
 * decryption of a name; not of many, since one that is kept keeps all of them in memory.
 */
function textReader(bytes: Buffer): (from: number, to: number) => string {
  let text = "";
  let start = 0;
  let end = 0;
  return (from, to) => {
    if (to > end) {
      start = from;
      end = Math.max(to, from + textAtOnce);
      text = bytes.toString("latin1", start, end);
    }
    return text.slice(from - start, to - start);
  };
}

const fileName = (text: string): string | undefined =>
  text === "." || text === ".." ? undefined : text;

/** Where the text ends and its padding begins; -1 where there is no padding, or no name of a file. */
function unpadded(data: Buffer, from: number, to: number): number {
  const padding = data[to - 1] ?? 0;
  if (padding < 1 || padding > aesBlock) return -1;
  const end = to - padding;
  for (let at = end; at < to; at += 1) if (data[at] !== padding) return -1;
  for (let at = from; at < end; at += 1) if (inNoName[data[at] ?? 0] === 1) return -1;
  return end;
}
