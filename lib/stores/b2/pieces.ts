import { isFields, type Fields } from "./answers.ts";

/** So much is parsed at once. Longer texts live in a space of their own that is cleared too rarely. */
const pieceLength = 64 * 1024;

const head = /^\s*\{\s*"files"\s*:\s*\[\s*(?=\{)/;
const longestHead = 256;
const space = new Set([0x20, 0x09, 0x0a, 0x0d]);
const brace = 0x7b;

/**
 * What JSON.parse makes of a page of a listing, of its files only what `pick` leaves of each. It is parsed in
 * pieces between two files: the whole, and each file as the service tells of it, would be ten times what we keep, and most
 * of what memory holds. A cut that is not between two files leaves a piece that is no JSON, and then
 * the whole is parsed at once. Throws what JSON.parse throws.
 */
export function parsePage(body: Buffer, pick: (file: Fields) => Fields): unknown {
  return inPieces(body, pick) ?? JSON.parse(body.toString("utf8"));
}

function inPieces(body: Buffer, pick: (file: Fields) => Fields): Fields | undefined {
  const begin = head.exec(body.toString("latin1", 0, longestHead))?.[0];
  if (begin === undefined) return undefined;
  const files: unknown[] = [];
  const take = (found: readonly unknown[]): void => {
    for (const file of found) files.push(isFields(file) ? pick(file) : file);
  };
  try {
    let from = begin.length;
    for (let to = cutAfter(body, from); to !== undefined; to = cutAfter(body, from)) {
      const piece: unknown = JSON.parse(`[${body.toString("utf8", from, to)}]`);
      if (!Array.isArray(piece)) return undefined;
      take(piece);
      from = nextFile(body, to) ?? to;
    }
    const rest: unknown = JSON.parse(`${begin}${body.toString("utf8", from)}`);
    if (!isFields(rest) || !Array.isArray(rest["files"])) return undefined;
    take(rest["files"]);
    return { ...rest, files };
  } catch {
    return undefined;
  }
}

/** The end of a file that is about a piece away; undefined where less than that is left. */
function cutAfter(body: Buffer, from: number): number | undefined {
  for (let at = from + pieceLength; ; at += 1) {
    at = body.indexOf("},", at);
    if (at < 0 || at >= body.length) return undefined;
    if (nextFile(body, at + 1) !== undefined) return at + 1;
  }
}

/** Where the next object begins, if only a comma stands before it. */
function nextFile(body: Buffer, comma: number): number | undefined {
  let at = comma + 1;
  while (space.has(body[at] ?? 0)) at += 1;
  return body[at] === brace ? at : undefined;
}
