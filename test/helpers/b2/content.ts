import { createCipheriv, createHash } from "node:crypto";

/** The bytes of a file, readable from anywhere. */
export interface Content {
  readonly size: number;
  /** The bytes from `start` to before `end`, in pieces. */
  read: (start: number, end: number) => Iterable<Buffer>;
}

const piece = 64 * 1024;
const block = 16;

/** Content held in memory, of one buffer or the parts of a large file. */
export function held(...parts: readonly Content[]): Content {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  return {
    size,
    *read(start, end) {
      let at = 0;
      for (const part of parts) {
        const [from, to] = [Math.max(start - at, 0), Math.min(end - at, part.size)];
        if (from < to) yield* part.read(from, to);
        at += part.size;
      }
    },
  };
}

/** Content held in memory. */
export function bytes(buffer: Buffer): Content {
  return {
    size: buffer.length,
    *read(start, end) {
      for (let at = start; at < end; at += piece)
        yield buffer.subarray(at, Math.min(at + piece, end));
    },
  };
}

/** Content of any size that needs no memory: the same for the same seed. */
export function synthetic(seed: string, size: number): Content {
  const key = createHash("sha256").update(seed).digest().subarray(0, block);
  return {
    size,
    *read(start, end) {
      const first = Math.floor(start / block);
      const counter = Buffer.alloc(block);
      counter.writeBigUInt64BE(BigInt(first), 8);
      const stream = createCipheriv("aes-128-ctr", key, counter);
      let skip = start - first * block;
      for (let at = start; at < end;) {
        const length = Math.min(piece, end - at);
        const made = stream.update(Buffer.alloc(skip + length));
        yield made.subarray(skip);
        at += length;
        skip = 0;
      }
    },
  };
}

/** The checksum of content, hexadecimal. */
export function checksum(content: Content, algorithm: "sha1" | "md5" = "sha1"): string {
  const hash = createHash(algorithm);
  for (const data of content.read(0, content.size)) hash.update(data);
  return hash.digest("hex");
}

/** All of content in one buffer. */
export function whole(content: Content): Buffer {
  return Buffer.concat([...content.read(0, content.size)]);
}
