import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw } from "node:zlib";

/*
 * Our own frame around a deflate stream, because node:zlib can't write a comment into the header. The
 * comment tells our archives from a user's file of the same name and holds what the archive was made of.
 */
const head = Buffer.from([0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 0, 255]);
const commentFlag = 0x10;
/** Header fields that would stand before the comment; we write none of them. */
const otherFields = 0x04 | 0x08;

/** The longest part of a file's beginning that gzipComment needs. */
export const commentWithin = 256;

/** Compresses chunks into one gzip member without a time stamp; equal input gives equal bytes. */
export async function* gzip(
  chunks: AsyncIterable<Uint8Array>,
  comment: string,
): AsyncGenerator<Uint8Array> {
  yield Buffer.concat([head, Buffer.from(`${comment}\0`, "latin1")]);
  let crc = 0;
  let size = 0;
  const deflate = createDeflateRaw();
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      yield chunk;
    }
  };
  const fed = pipeline(counted, deflate);
  // A failure ends the loop below, too; it is thrown by the await after it.
  fed.catch(() => {});
  for await (const part of deflate as AsyncIterable<Buffer>) yield part;
  await fed;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

/** The comment in the header of a gzip file whose first bytes are given, if it has one where gzip() puts it. */
export function gzipComment(start: Uint8Array): string | undefined {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const flags = bytes[3] ?? 0;
  if (bytes.length <= head.length || !bytes.subarray(0, 3).equals(head.subarray(0, 3))) {
    return undefined;
  }
  if ((flags & commentFlag) === 0 || (flags & otherFields) !== 0) return undefined;
  const end = bytes.indexOf(0, head.length);
  return end === -1 ? undefined : bytes.toString("latin1", head.length, end);
}
