import { isMode, readColumns, type Columns } from "./columns.ts";
import { LineCutter, noteUnread, type ListingParser, type OnFile, type Unread } from "./lines.ts";

const dash = 0x2d;
const backslash = 0x5c;
const letters: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
};

/**
 * Reads `tar tv` of GNU tar and of bsdtar. Only regular files count; a hard link's content stands in
 * the archive once, at the name that came first. What either tar writes as `\n` or `\303` in a name
 * is turned back.
 */
export function tarParser(onFile: OnFile, unread: Unread): ListingParser {
  const columns: Columns = { nameStart: 0, size: 0 };
  let line = 0;
  return new LineCutter((buffer, start, end) => {
    line += 1;
    if (start === end) return;
    if (!isMode(buffer, start, end)) {
      noteUnread(unread, line, buffer, start, end);
      return;
    }
    // C is GNU tar's contiguous file.
    if (buffer[start] !== dash && buffer[start] !== 0x43) return;
    if (!readColumns(buffer, start, end, hasLinks(buffer, start, end), columns)) {
      noteUnread(unread, line, buffer, start, end);
      return;
    }
    const { nameStart, size } = columns;
    const escape = buffer.indexOf(backslash, nameStart);
    if (escape < 0 || escape >= end) onFile(buffer, nameStart, end, size);
    else {
      const name = unescapeName(buffer.toString("latin1", nameStart, end));
      onFile(name, 0, name.length, size);
    }
  });
}

/** bsdtar has a number of links after the mode, GNU tar `owner/group`. */
export function hasLinks(buffer: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end && buffer[at] !== 0x20) at += 1;
  while (at < end && buffer[at] === 0x20) at += 1;
  const first = at;
  while (at < end && (buffer[at] ?? 0) >= 0x30 && (buffer[at] ?? 0) <= 0x39) at += 1;
  return at > first && buffer[at] === 0x20;
}

function unescapeName(text: string): Buffer {
  const plain = text.replaceAll(/\\([0-7]{3}|.)/gs, (_, code: string) =>
    code.length === 3
      ? String.fromCharCode(Number.parseInt(code, 8) & 0xff)
      : String.fromCharCode(letters[code] ?? code.charCodeAt(0)),
  );
  return Buffer.from(plain, "latin1");
}
