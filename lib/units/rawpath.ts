import { isUtf8 as bufferIsUtf8 } from "node:buffer";

/**
 * A path as rclone lists it: relative, `/` between segments, in rclone's standard encoding
 * (a newline is U+240A and so on, so that no path holds a control character), its bytes kept one by
 * one in a Latin-1 string. Bytes that are not UTF-8 survive, and comparing two such strings compares
 * their bytes, as `LC_ALL=C sort` does.
 */
export type RawPath = string & { readonly __rawPath: unique symbol };

/** The raw path of text that is known to be Unicode, such as a name out of rclone's JSON log. */
export function rawFromText(text: string): RawPath {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand is given here
  return Buffer.from(text, "utf8").toString("latin1") as RawPath;
}

/** The raw path whose bytes a Latin-1 string holds. */
export function rawFromBytes(latin1: string): RawPath {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand is given here
  return latin1 as RawPath;
}

/** The text to show for a raw path; bytes that are not UTF-8 become U+FFFD. */
export function textFromRaw(path: RawPath): string {
  return Buffer.from(path, "latin1").toString("utf8");
}

/** What stands for bytes that are not UTF-8, in text. */
export const replacement = "\uFFFD";

/** Whether a raw path's bytes are UTF-8. */
export function isUtf8(path: RawPath): boolean {
  return bufferIsUtf8(Buffer.from(path, "latin1"));
}

/**
 * The path as Go's JSON encoder writes it: U+FFFD for every single byte that is not UTF-8, where
 * the web's decoders write one for a whole cut sequence.
 */
export function asGoWrites(path: RawPath): string {
  const bytes = Buffer.from(path, "latin1");
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? replacement : bytes.toString("utf8", at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** How many bytes the UTF-8 sequence at `at` has; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length =
    first < 0x80
      ? 1
      : first < 0xc2
        ? 0
        : first < 0xe0
          ? 2
          : first < 0xf0
            ? 3
            : first < 0xf5
              ? 4
              : 0;
  return length > 0 && at + length <= bytes.length && bufferIsUtf8(bytes.subarray(at, at + length))
    ? length
    : 0;
}
