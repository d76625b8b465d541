import { failed } from "../errors.ts";
import { textFromRaw, rawFromBytes } from "../units/rawpath.ts";
import { detectFormat, namesOf, parsers, sampleLength, type Format } from "./formats.ts";
import type { ListingParser, Unread } from "./lines.ts";
import { SizeTree } from "./tree.ts";

/** What a listing came to. */
export interface ReadListing {
  readonly tree: SizeTree;
  readonly format: Format;
  readonly unread: Readonly<Unread>;
}

export interface ListingOptions {
  /** Undefined: told by how the listing begins. */
  readonly format: Format | undefined;
  /** Keeps files in the tree too. */
  readonly files: boolean;
  /** Called now and then, with what was counted so far. */
  readonly onProgress?: ((files: number, bytes: number) => void) | undefined;
}

/**
 * Adds up a listing of any of the formats. Nothing of a line is kept but the directory it names, so
 * memory grows with the number of directories alone.
 * Throws failed when the beginning is none of the formats, and what reading throws.
 */
export async function readListing(
  pieces: AsyncIterable<Uint8Array>,
  options: ListingOptions,
): Promise<ReadListing> {
  const unread: Unread = { count: 0, first: 0, text: "" };
  let [files, bytes] = [0, 0];
  const begin = (beginning: Buffer): Reading => {
    const format = options.format ?? detectFormat(beginning);
    if (format === undefined) throw unknownFormat(beginning);
    const tree = new SizeTree({ files: options.files, names: namesOf(format) });
    const parser = parsers[format]((buffer, start, end, size) => {
      tree.addBytes(buffer, start, end, size, "current");
      files += 1;
      bytes += size;
    }, unread);
    parser.take(beginning);
    return { format, tree, parser };
  };
  let beginning = Buffer.alloc(0);
  let reading: Reading | undefined;
  for await (const piece of pieces) {
    if (reading !== undefined) reading.parser.take(asBuffer(piece));
    else {
      beginning = Buffer.concat([beginning, piece]);
      if (beginning.length >= sampleLength) reading = begin(beginning);
    }
    options.onProgress?.(files, bytes);
  }
  const { format, tree, parser } = reading ?? begin(beginning);
  parser.end();
  return { tree: tree.total(), format, unread };
}

interface Reading {
  readonly format: Format;
  readonly tree: SizeTree;
  readonly parser: ListingParser;
}

function asBuffer(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece)
    ? piece
    : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

function unknownFormat(beginning: Buffer): Error {
  const line = beginning.toString("latin1", 0, 80).split("\n")[0] ?? "";
  return failed(
    `listing: expected ls -lR, tar tv, rclone ls, rclone lsjson or lines SIZE PATH, found ${JSON.stringify(textFromRaw(rawFromBytes(line)))}`,
    { hint: "--format says what it is, where it begins in an unusual way" },
  );
}
