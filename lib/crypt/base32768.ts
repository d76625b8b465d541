import type { TextEncoding } from "./textencoding.ts";

/*
 * 15 bits a character, all of them letters and signs of the basic plane that no store changes. The
 * alphabet is made of rows of 32 neighbours: four rows for a rest of up to 7 bits, 1024 for 15.
 */
const rests = [0x00c, 0x012, 0x013, 0x014];
/** First and last of runs of rows: a row's number is its code points divided by 32. */
const runs =
  "25 28 34-35 3b-3c 3e 80 85 88-8a 8c 8f-91 93 97 99 9d-9e a1-b2 b5-b6 bc c1-c2 c6 cc cf d1 de e0 " +
  "e8 10f 116 11a-11e 120 128-13a 13c-13d 140-14b 14d 151-152 154-155 157-15a 160 164-166 168 16a " +
  "175-176 18e 1a0-26c 26e-4fd 500-523 525 528-52f 532 535-536 538-53a 53c 542";

const rows = runs.split(" ").flatMap((run) => {
  const [first = "", last = first] = run.split("-");
  const from = Number.parseInt(first, 16);
  return Array.from({ length: Number.parseInt(last, 16) - from + 1 }, (_, at) => from + at);
});

/** The value of a row's first character by the row's number: of 15 bits, and of a rest. */
const values15 = valuesOf(rows);
const values7 = valuesOf(rests);

function valuesOf(numbers: readonly number[]): Int32Array {
  const table = new Int32Array(2048).fill(-1);
  for (const [at, number] of numbers.entries()) table[number] = at * 32;
  return table;
}

function character(numbers: readonly number[], value: number): string {
  return String.fromCodePoint(((numbers[value >>> 5] ?? 0) << 5) | (value & 31));
}

export const base32768: TextEncoding = {
  encode(bytes) {
    let text = "";
    let held = 0;
    let count = 0;
    for (const byte of bytes) {
      held = (held << 8) | byte;
      count += 8;
      if (count < 15) continue;
      count -= 15;
      text += character(rows, held >>> count);
      held &= (1 << count) - 1;
    }
    // What is left is filled up with ones.
    const fill = (bits: number): number => (held << (bits - count)) | ((1 << (bits - count)) - 1);
    if (count > 7) text += character(rows, fill(15));
    else if (count > 0) text += character(rests, fill(7));
    return Buffer.from(text, "utf8").toString("latin1");
  },
  decode(text, from, length, out, to) {
    const end = from + length;
    let held = 0;
    let count = 0;
    let at = to;
    for (let i = from; i < end;) {
      // All characters have two or three bytes in UTF-8.
      const first = text[i] ?? 0;
      const size = first < 0xe0 ? 2 : 3;
      if (i + size > end) return -1;
      const code = codePoint(first, text[i + 1] ?? 0, text[i + 2] ?? 0);
      if (code < 0) return -1;
      i += size;
      let row = values15[code >>> 5] ?? -1;
      let bits = 15;
      if (row < 0) {
        // A rest ends the name.
        row = values7[code >>> 5] ?? -1;
        bits = 7;
        if (row < 0 || i < end) return -1;
      }
      held = (held << bits) | row | (code & 31);
      count += bits;
      for (; count >= 8; count -= 8) {
        out[at] = held >>> (count - 8);
        at += 1;
      }
      held &= (1 << count) - 1;
    }
    // Only ones fill up the last character.
    return held === (1 << count) - 1 ? at - to : -1;
  },
};

/** The code point of a sequence of two or three bytes; -1 where it is none. */
function codePoint(first: number, second: number, third: number): number {
  if (first < 0xc2 || first > 0xef || (second & 0xc0) !== 0x80) return -1;
  if (first < 0xe0) return ((first & 0x1f) << 6) | (second & 0x3f);
  if ((third & 0xc0) !== 0x80) return -1;
  const code = ((first & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
  return code < 0x800 ? -1 : code;
}
