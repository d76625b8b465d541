import { LineCutter, noteUnread, type ListingParser, type OnFile, type Unread } from "./lines.ts";
import { sizeIn } from "./size.ts";

const space = 0x20;
const tab = 0x09;

/**
 * Reads lines `SIZE PATH`, as `rclone ls` writes them and many other programs can: blanks, the size,
 * one blank or tab, and all the rest is the path.
 */
export function plainParser(onFile: OnFile, unread: Unread): ListingParser {
  let line = 0;
  return new LineCutter((buffer, start, end) => {
    line += 1;
    let from = start;
    while (from < end && buffer[from] === space) from += 1;
    // An empty line names nothing.
    if (from === end) return;
    let at = from;
    while (at < end && buffer[at] !== space && buffer[at] !== tab) at += 1;
    const size = sizeIn(buffer, from, at);
    if (size === undefined || at + 1 >= end) noteUnread(unread, line, buffer, start, end);
    else onFile(buffer, at + 1, end, size);
  });
}
