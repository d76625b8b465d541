import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import * as fc from "fast-check";
import { decryptContent, readNonce, storedStart } from "../lib/crypt/content.ts";
import type { DecryptOptions } from "../lib/crypt/content.ts";
import { cryptKeys } from "../lib/crypt/keys.ts";
import type { CryptKeys } from "../lib/crypt/keys.ts";
import { decryptedSize, encryptedSize } from "../lib/crypt/sizes.ts";
import { oldRclone, rclones } from "./helpers/rclones.ts";
import type { Rclone } from "./helpers/rclones.ts";
import { makeSandbox, obscuredPassword } from "./helpers/sandbox.ts";
import type { TestContext } from "node:test";

/*
 * Content that rclone encrypted is decrypted here, whole or from some byte on; whatever is not just
 * as it was stored is an error that says where.
 */

const block = 65_536;
const storedBlock = block + 16;
const sizes = [0, 1, block - 1, block, block + 1, 2 ** 20 + 3];

/** Where a block of a stored file begins. */
const blockAt = (number: number): number => 32 + number * storedBlock;

interface Sample {
  readonly plain: Buffer;
  readonly stored: Buffer;
  readonly file: string;
}

interface Samples {
  readonly keys: CryptKeys;
  readonly bySize: ReadonlyMap<number, Sample>;
}

/** Files of all sizes as rclone encrypts them. */
async function encrypt(t: TestContext, rclone: Rclone): Promise<Samples> {
  const sandbox = await makeSandbox(t, rclone);
  const password = obscuredPassword;
  const options = { type: "crypt", filename_encryption: "off", password, password2: password };
  const store = path.join(sandbox.root, "crypt");
  const env = Object.fromEntries(
    Object.entries({ ...options, remote: store }).map(([key, value]) => [
      `RCLONE_CONFIG_C_${key.toUpperCase()}`,
      value,
    ]),
  );
  const plain = new Map(sizes.map((size) => [size, randomBytes(size)]));
  for (const [size, bytes] of plain)
    await writeFile(path.join(sandbox.source, String(size)), bytes);
  const copy = await sandbox.runRclone(["copy", sandbox.source, "C:"], { env });
  assert.equal(copy.code, 0, copy.stderr);
  const bySize = new Map<number, Sample>();
  for (const [size, bytes] of plain) {
    const file = path.join(store, `${size}.bin`);
    bySize.set(size, { plain: bytes, stored: await readFile(file), file });
  }
  return { keys: cryptKeys(new Map(Object.entries(options))), bySize };
}

async function collect(
  stored: AsyncIterable<Uint8Array>,
  keys: CryptKeys,
  options: DecryptOptions,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // The next piece is written over it.
  for await (const piece of decryptContent(stored, keys, options)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** A stream of one buffer in chunks of some size. */
function chunked(bytes: Uint8Array, size = 40_000): Readable {
  const count = Math.ceil(bytes.length / size);
  return Readable.from(
    Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size)),
  );
}

function sampleOf(samples: Samples, size: number): Sample {
  const sample = samples.bySize.get(size);
  assert.ok(sample !== undefined);
  return sample;
}

for (const rclone of rclones) {
  test(`what rclone encrypted decrypts to what it was (${rclone.version})`, async (t) => {
    const { keys, bySize } = await encrypt(t, rclone);
    for (const [size, { plain, stored, file }] of bySize) {
      assert.equal(stored.length, encryptedSize(size));
      assert.equal(decryptedSize(stored.length), size);
      const options = { storedSize: stored.length };
      assert.deepEqual(await collect(createReadStream(file), keys, options), plain);
      for (const chunk of size <= block ? [7, 4096, 100_000] : [65_552, 70_001])
        assert.deepEqual(await collect(chunked(stored, chunk), keys, options), plain);
    }
  });
}

test("decrypting goes on at any byte", async (t) => {
  const samples = await encrypt(t, oldRclone);
  const { plain, stored } = sampleOf(samples, 2 ** 20 + 3);
  const nonce = readNonce(stored.subarray(0, 32));
  const offset = fc.oneof(
    fc.constantFrom(0, 1, block - 1, block, block + 1, 16 * block, 2 ** 20 + 2, 2 ** 20 + 3),
    fc.nat(plain.length),
  );
  await fc.assert(
    fc.asyncProperty(offset, async (byte) => {
      const from = { ...storedStart(byte), nonce };
      const rest = chunked(stored.subarray(from.start));
      const options = { storedSize: stored.length, from };
      assert.deepEqual(await collect(rest, samples.keys, options), plain.subarray(byte));
    }),
    { numRuns: 40 },
  );
  // At the very end of a file of whole blocks nothing is left to read.
  const whole = sampleOf(samples, block);
  const from = { ...storedStart(block), nonce: readNonce(whole.stored) };
  const options = { storedSize: whole.stored.length, from };
  assert.equal((await collect(chunked(Buffer.alloc(0)), samples.keys, options)).length, 0);
});

test("the number of the block goes into all bytes of the nonce that it needs", async (t) => {
  const samples = await encrypt(t, oldRclone);
  const { stored } = sampleOf(samples, block + 1);
  // One more than this is zero.
  const nonce = Uint8Array.from({ length: 24 }, () => 0xff);
  const { default: sodium } = await import("libsodium-wrappers");
  await sodium.ready;
  const seal = (bytes: Uint8Array, by: Uint8Array): Uint8Array =>
    sodium.crypto_secretbox_easy(bytes, by, samples.keys.data);
  const made = Buffer.concat([
    stored.subarray(0, 8),
    nonce,
    seal(new Uint8Array(block).fill(1), nonce),
    seal(new Uint8Array(5).fill(2), new Uint8Array(24)),
  ]);
  const plain = await collect(chunked(made), samples.keys, { storedSize: made.length });
  assert.equal(plain.length, block + 5);

  const late = { ...storedStart(300 * block), nonce: Uint8Array.of(200, ...new Uint8Array(23)) };
  const last = seal(Buffer.from("late"), Uint8Array.of(500 - 256, 1, ...new Uint8Array(22)));
  const options = { storedSize: late.start + last.length, from: late };
  assert.equal(String(await collect(chunked(last), samples.keys, options)), "late");
});

test("content that is not just as it was stored is an error that says where", async (t) => {
  const samples = await encrypt(t, oldRclone);
  const { stored } = sampleOf(samples, 2 ** 20 + 3);
  const flip = (byte: number): Buffer => {
    const copy = Buffer.from(stored);
    copy.writeUInt8(stored.readUInt8(byte) ^ 1, byte);
    return copy;
  };
  const part = (from: number, to: number): Buffer => stored.subarray(blockAt(from), blockAt(to));
  const swapped = Buffer.concat([
    stored.subarray(0, blockAt(1)),
    part(2, 3),
    part(1, 2),
    stored.subarray(blockAt(3)),
  ]);
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ["nothing", Buffer.alloc(0), /end at byte 0$/],
    ["cut header", stored.subarray(0, 20), /32 bytes before the content, found 20/],
    ["header alone", stored.subarray(0, 32), /end at byte 32$/],
    ["cut at the edge of a block", stored.subarray(0, blockAt(3)), /end at byte 196688$/],
    [
      "cut in a block",
      stored.subarray(0, blockAt(3) + 100),
      /block at byte 196688, found 100 bytes/,
    ],
    ["cut in a block's first bytes", stored.subarray(0, blockAt(3) + 16), /block at byte 196688/],
    ["last byte missing", stored.subarray(0, -1), new RegExp(`block at byte ${blockAt(16)},`)],
    ["other magic", flip(3), /mark of an encrypted file at byte 0/],
    ["other nonce", flip(10), /block at byte 32,/],
    ["flipped in the first block", flip(32 + 1000), /block at byte 32,/],
    [
      "flipped in the fifth block",
      flip(blockAt(4) + 20),
      new RegExp(`block at byte ${blockAt(4)},`),
    ],
    [
      "flipped in the last byte",
      flip(stored.length - 1),
      new RegExp(`block at byte ${blockAt(16)},`),
    ],
    ["two blocks swapped", swapped, new RegExp(`block at byte ${blockAt(1)},`)],
    ["a byte more", Buffer.concat([stored, Buffer.alloc(1)]), /block at byte|found more bytes/],
    ["another block more", Buffer.concat([stored, part(0, 1)]), /block at byte|found more bytes/],
  ];
  for (const [what, bytes, message] of cases) {
    await assert.rejects(
      collect(chunked(bytes), samples.keys, { storedSize: stored.length }),
      message,
      what,
    );
  }
  const whole = sampleOf(samples, block);
  const longer = Buffer.concat([whole.stored, part(0, 1)]);
  await assert.rejects(
    collect(chunked(longer), samples.keys, { storedSize: whole.stored.length }),
    /end at byte 65584, found more/,
  );
});

test("another password, a size that can't be and a stream that breaks are errors too", async (t) => {
  const samples = await encrypt(t, oldRclone);
  const { stored } = sampleOf(samples, block + 1);
  const options = { storedSize: stored.length };
  const other = cryptKeys(new Map([["password", obscuredPassword]]));
  await assert.rejects(collect(chunked(stored), other, options), /block at byte 32,/);
  for (const storedSize of [0, 31, 33, 48, 32 + storedBlock + 16])
    await assert.rejects(
      collect(chunked(stored), samples.keys, { storedSize }),
      /expected the size/,
    );
  const breaking = async function* (): AsyncGenerator<Uint8Array> {
    yield stored.subarray(0, 40_000);
    throw new Error("connection lost");
  };
  await assert.rejects(collect(breaking(), samples.keys, options), /connection lost/);
});

test("who stops reading closes the stored file", async (t) => {
  const samples = await encrypt(t, oldRclone);
  const { stored } = sampleOf(samples, 2 ** 20 + 3);
  const source = chunked(stored);
  for await (const piece of decryptContent(source, samples.keys, { storedSize: stored.length })) {
    assert.equal(piece.length, block);
    break;
  }
  assert.equal(source.destroyed, true);
});

test("sizes are those of rclone, and no others", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), (size) => {
      assert.equal(decryptedSize(encryptedSize(size)), size);
    }),
  );
  const impossible = [
    -1,
    0,
    31,
    33,
    48,
    32 + storedBlock + 1,
    32 + storedBlock + 16,
    0.5,
    Number.NaN,
  ];
  assert.deepEqual(
    impossible.map(decryptedSize),
    impossible.map(() => undefined),
  );
  assert.equal(decryptedSize(32), 0);
  assert.equal(decryptedSize(49), 1);
});
