import { failed, type Failure } from "../errors.ts";
import type { CryptKeys } from "./keys.ts";
import { openSecretBox } from "./secretbox.ts";
import { blockSize, decryptedSize, headerSize, overhead } from "./sizes.ts";

const magic = Buffer.from("RCLONE\0\0", "latin1");
const storedBlock = blockSize + overhead;

/** Where reading a stored file has to begin so that its plain content comes from some byte on. */
interface StoredStart {
  /** The first byte to read: the beginning of a block. */
  readonly start: number;
  /** Blocks before it. */
  readonly block: number;
  /** Plain bytes at its beginning that are not wanted. */
  readonly skip: number;
}

/** Where to begin for the plain bytes from `offset` on. */
export function storedStart(offset: number): StoredStart {
  const block = Math.floor(offset / blockSize);
  return { start: headerSize + block * storedBlock, block, skip: offset % blockSize };
}

/**
 * The nonce in the first 32 bytes of a stored file, which the rest can't be decrypted without.
 * Throws when they are not the beginning of a file that crypt wrote.
 */
export function readNonce(header: Uint8Array): Uint8Array {
  if (header.length < headerSize)
    throw damaged(`expected ${headerSize} bytes before the content, found ${header.length}`);
  if (Buffer.compare(header.subarray(0, magic.length), magic) !== 0)
    throw damaged("expected the mark of an encrypted file at byte 0, found something else");
  return Uint8Array.from(header.subarray(magic.length, headerSize));
}

export interface DecryptOptions {
  /** Bytes of the whole stored file, as the store lists it: how else to tell a cut file from a whole one. */
  readonly storedSize: number;
  /** Set where `stored` begins behind the header: what `storedStart` and `readNonce` told. */
  readonly from?: StoredStart & { readonly nonce: Uint8Array };
}

/**
 * The plain content of what crypt stored, in pieces of up to 64 KiB, each checked before it is
 * given out; one piece is all that memory holds, and the next is written over it. Throws when a byte is missing, added or changed,
 * and says where in the stored file. Nothing is passed on in the place of a block that is bad.
 */
export async function* decryptContent(
  stored: AsyncIterable<Uint8Array>,
  keys: Pick<CryptKeys, "data">,
  options: DecryptOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { storedSize, from } = options;
  if (decryptedSize(storedSize) === undefined)
    throw damaged(`expected the size of an encrypted file, found ${storedSize} bytes`);
  const nonce = from === undefined ? undefined : nonceAfter(from.nonce, from.block);
  const box = await openSecretBox(keys.data, storedBlock);
  try {
    yield* decryptBlocks(stored, {
      open: (block, blockNonce) => box.open(block, blockNonce),
      storedSize,
      position: from?.start ?? 0,
      skip: from?.skip ?? 0,
      nonce,
    });
  } finally {
    box.close();
  }
}

interface Reading {
  /** What is in the block, written over it. Throws when the block is not authentic. */
  readonly open: (block: Uint8Array, nonce: Uint8Array) => Uint8Array;
  readonly storedSize: number;
  /** Of the first byte that comes. */
  readonly position: number;
  readonly skip: number;
  /** Undefined while the header is still to come. */
  readonly nonce: Uint8Array | undefined;
}

async function* decryptBlocks(
  stored: AsyncIterable<Uint8Array>,
  reading: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { storedSize, open } = reading;
  let { position, skip, nonce } = reading;
  for await (const piece of pieces(stored, nonce === undefined ? headerSize : storedBlock)) {
    const next = position + piece.length;
    if (next > storedSize)
      throw damaged(`expected the end at byte ${storedSize}, found more bytes`);
    if (nonce === undefined) nonce = readNonce(piece);
    else {
      const plain = openAt(open, piece, nonce, position);
      nonce = nonceAfter(nonce, 1);
      if (skip < plain.length) yield skip === 0 ? plain : plain.subarray(skip);
      skip = Math.max(skip - plain.length, 0);
    }
    position = next;
  }
  if (position < storedSize)
    throw damaged(`expected ${storedSize} bytes, found the end at byte ${position}`);
}

function openAt(
  open: Reading["open"],
  block: Uint8Array,
  nonce: Uint8Array,
  position: number,
): Uint8Array {
  if (block.length > overhead) {
    try {
      return open(block, nonce);
    } catch {
      // The reason is always the same: it doesn't authenticate.
    }
  }
  throw damaged(
    `expected an encrypted block at byte ${position}, found ${block.length} bytes that are not authentic`,
  );
}

/**
 * Pieces of the size of a block, in a buffer that the next piece overwrites, and whoever gets one may; the first has
 * `firstSize` bytes, the last what is left.
 */
async function* pieces(
  chunks: AsyncIterable<Uint8Array>,
  firstSize: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(storedBlock);
  let size = firstSize;
  let held = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + size - held);
      buffer.set(part, held);
      held += part.length;
      at += part.length;
      if (held < size) continue;
      yield buffer.subarray(0, held);
      held = 0;
      size = storedBlock;
    }
  }
  if (held > 0) yield buffer.subarray(0, held);
}

/** Nonces count the blocks, the lowest byte first. */
function nonceAfter(nonce: Uint8Array, blocks: number): Uint8Array {
  const sum = Uint8Array.from(nonce);
  let carry = blocks;
  for (let at = 0; at < sum.length && carry > 0; at += 1) {
    carry += sum[at] ?? 0;
    sum[at] = carry % 256;
    carry = Math.floor(carry / 256);
  }
  return sum;
}

function damaged(message: string): Failure {
  return failed(`encrypted content: ${message}`, {
    hint: "the stored file is damaged, or the password is not the one that it was encrypted with",
  });
}
