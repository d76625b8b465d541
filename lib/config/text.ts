import { isUtf8 } from "node:buffer";
import { usage } from "../errors.ts";
import { columnAt, placeText } from "./problem.ts";

const newline = 10;

/**
 * The text of a configuration file, without a byte order mark.
 * Throws a usage failure with the place of the first byte that isn't UTF-8 or is NUL.
 */
export function decodeText(bytes: Buffer, file: string): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    const place = placeOfByte(bytes, nul, file);
    throw usage(`${place}: expected a text file, found a NUL byte`, {
      hint: "is it a binary file, or UTF-16?",
    });
  }
  if (!isUtf8(bytes)) {
    const bad = firstBadByte(bytes);
    const code = (bytes[bad] ?? 0).toString(16).padStart(2, "0");
    throw usage(`${placeOfByte(bytes, bad, file)}: expected UTF-8, found the byte 0x${code}`, {
      hint: "convert the file, for instance with iconv -f latin1 -t utf-8",
    });
  }
  const text = bytes.toString("utf8");
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

/** The offset of the first byte that no valid UTF-8 sequence holds. */
export function firstBadByte(bytes: Buffer): number {
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(newline, start);
    const end = found < 0 ? bytes.length : found + 1;
    const line = bytes.subarray(start, end);
    if (!isUtf8(line)) return start + validLength(line);
    start = end;
  }
  return bytes.length;
}

/** How many bytes the valid characters at the start of a line take. */
function validLength(line: Buffer): number {
  let offset = 0;
  for (const character of line.toString("utf8")) {
    const length = Buffer.byteLength(character);
    // A bad byte is decoded to U+FFFD, which no longer encodes to the bytes that were there.
    if (!line.subarray(offset, offset + length).equals(Buffer.from(character))) return offset;
    offset += length;
  }
  return offset;
}

function placeOfByte(bytes: Buffer, offset: number, file: string): string {
  const before = bytes.subarray(0, offset);
  const start = before.lastIndexOf(newline) + 1;
  const line = before.reduce((count, byte) => (byte === newline ? count + 1 : count), 1);
  const text = before
    .subarray(start)
    .toString("utf8")
    .replace(/^\uFEFF/, "");
  return placeText({ file, line, column: columnAt(text, text.length) });
}
