/** How encrypted bytes are written as a name. Names are RawPath segments: a byte a character. */
export interface TextEncoding {
  encode(bytes: Uint8Array): string;
  /**
   * Reads the name of `length` bytes at `from` in `text` into `out` at `to`, which takes at most
   * `length` bytes. How many bytes it made; -1 for what this encoding never writes.
   */
  decode(text: Uint8Array, from: number, length: number, out: Uint8Array, to: number): number;
}

const digits32 = "0123456789abcdefghijklmnopqrstuv";
const digits64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** RFC 4648's base32 with the "extended hex" alphabet, in lower case and without padding. */
export const base32: TextEncoding = powerOfTwo(
  digits32,
  5,
  (out, at, high, low) => {
    out[at] = high >>> 12;
    out[at + 1] = high >>> 4;
    out[at + 2] = (high << 4) | (low >>> 16);
    out[at + 3] = low >>> 8;
    out[at + 4] = low;
  },
  // Some stores change the case of names; rclone reads them nevertheless.
  digits32.toUpperCase(),
);

/** RFC 4648's base64 for URLs, without padding. */
export const base64: TextEncoding = powerOfTwo(digits64, 6, (out, at, high, low) => {
  out[at] = high >>> 16;
  out[at + 1] = high >>> 8;
  out[at + 2] = high;
  out[at + 3] = low >>> 16;
  out[at + 4] = low >>> 8;
  out[at + 5] = low;
});

/** Writes what eight digits stand for, given as the numbers of four and four, at `at`. */
type PutEight = (out: Uint8Array, at: number, high: number, low: number) => void;

function powerOfTwo(digits: string, bits: number, put: PutEight, alias = ""): TextEncoding {
  const values = new Int8Array(256).fill(-1);
  for (const alphabet of [digits, alias]) {
    for (let value = 0; value < alphabet.length; value += 1)
      values[alphabet.charCodeAt(value)] = value;
  }
  /** Negative for what is no digit. */
  const digit = (code = 0): number => values[code] ?? -1;
  /** Negative where one of them is no digit. */
  const four = (text: Uint8Array, at: number): number =>
    (digit(text[at]) << (3 * bits)) |
    (digit(text[at + 1]) << (2 * bits)) |
    (digit(text[at + 2]) << bits) |
    digit(text[at + 3]);
  return {
    encode(bytes) {
      let text = "";
      let held = 0;
      let count = 0;
      for (const byte of bytes) {
        held = (held << 8) | byte;
        count += 8;
        for (; count >= bits; count -= bits)
          text += digits[(held >>> (count - bits)) & (2 ** bits - 1)];
        held &= 2 ** count - 1;
      }
      if (count > 0) text += digits[(held << (bits - count)) & (2 ** bits - 1)];
      return text;
    },
    decode(text, from, length, out, to) {
      const bytes = Math.floor((length * bits) / 8);
      // A last digit that adds no byte is one too many.
      if (Math.ceil((bytes * 8) / bits) !== length) return -1;
      const end = from + length;
      let held = 0;
      let count = 0;
      let all = 0;
      let at = to;
      let i = from;
      for (; i + 8 <= end; i += 8) {
        const high = four(text, i);
        const low = four(text, i + 4);
        all |= high | low;
        put(out, at, high, low);
        at += bits;
      }
      for (; i < end; i += 1) {
        const value = digit(text[i]);
        all |= value;
        held = (held << bits) | value;
        count += bits;
        if (count >= 8) {
          count -= 8;
          out[at] = held >>> count;
          at += 1;
        }
      }
      // One digit that is none makes the whole negative; the bits beyond the last byte are zero.
      return all < 0 || (held & ((1 << count) - 1)) !== 0 ? -1 : bytes;
    },
  };
}
