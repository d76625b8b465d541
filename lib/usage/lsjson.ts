import { failed } from "../errors.ts";
import { noteUnread, type ListingParser, type OnFile, type Unread } from "./lines.ts";
import { sizeIn } from "./size.ts";

const open = 0x7b;
const close = 0x7d;
const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const comma = 0x2c;
const longest = 1024 * 1024;

/**
 * Reads `rclone lsjson`, and any other JSON or NDJSON in which files are objects with Path and Size,
 * or path and size as our own lists have them, however it is laid out.
 */
export function lsjsonParser(onFile: OnFile, unread: Unread): ListingParser {
  let rest: Buffer | undefined;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let number = 0;
  const object = (buffer: Buffer, start: number, end: number): void => {
    number += 1;
    if (!quickly(buffer, start, end, onFile) && !slowly(buffer, start, end, onFile))
      noteUnread(unread, number, buffer, start, end);
  };
  return {
    take(chunk) {
      let [buffer, at] = [chunk, 0];
      if (rest !== undefined) {
        if (rest.length > longest)
          throw failed("listing: expected an object for each file, found one of more than 1 MiB");
        // What was kept has been looked through already.
        [buffer, at] = [Buffer.concat([rest, chunk]), rest.length];
        rest = undefined;
      }
      let start = 0;
      for (; at < buffer.length; at += 1) {
        const byte = buffer[at];
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === backslash) escaped = true;
          else if (byte === quote) inString = false;
        } else if (byte === quote) inString = true;
        else if (byte === open) {
          if (depth === 0) {
            start = at;
            const lineEnd = buffer.indexOf(newline, at);
            if (endsObject(buffer, lineEnd) && quickly(buffer, at, lineEnd, onFile)) {
              number += 1;
              at = lineEnd;
              continue;
            }
          }
          depth += 1;
        } else if (byte === close && depth > 0) {
          depth -= 1;
          if (depth === 0) object(buffer, start, at + 1);
        }
      }
      if (depth > 0) rest = Buffer.from(buffer.subarray(start));
    },
    end() {
      if (rest !== undefined) noteUnread(unread, number + 1, rest, 0, rest.length);
    },
  };
}

const pathKey = Buffer.from('{"Path":"');
const sizeKey = Buffer.from('"Size":');
const kindKey = Buffer.from('"IsDir":');

/** As rclone writes it, and no escape in the path: nothing has to be decoded. Returns whether it was so. */
function quickly(buffer: Buffer, start: number, end: number, onFile: OnFile): boolean {
  const from = start + pathKey.length;
  if (from >= end || buffer.compare(pathKey, 0, pathKey.length, start, from) !== 0) return false;
  let pathEnd = from;
  while (pathEnd < end && buffer[pathEnd] !== quote && buffer[pathEnd] !== backslash) pathEnd += 1;
  if (buffer[pathEnd] !== quote) return false;
  // A quote inside a string has a backslash before it, so these can't be found in a name.
  const sizeStart = buffer.indexOf(sizeKey, pathEnd) + sizeKey.length;
  const kindStart = buffer.indexOf(kindKey, pathEnd) + kindKey.length;
  if (sizeStart <= pathEnd || sizeStart >= end || kindStart <= pathEnd || kindStart >= end)
    return false;
  let sizeEnd = sizeStart;
  while (sizeEnd < end && isNumber(buffer[sizeEnd] ?? 0)) sizeEnd += 1;
  const size = sizeIn(buffer, sizeStart, sizeEnd);
  if (size === undefined) return false;
  // "true" or "false"
  if (buffer[kindStart] === 0x66) onFile(buffer, from, pathEnd, size);
  return true;
}

/** Whether an object ends where the line does: rclone writes one a line, and no newline inside. */
function endsObject(buffer: Buffer, lineEnd: number): boolean {
  const last = buffer[lineEnd - 1] === comma ? lineEnd - 2 : lineEnd - 1;
  return lineEnd > 0 && buffer[last] === close;
}

function isNumber(byte: number): boolean {
  return byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
}

function slowly(buffer: Buffer, start: number, end: number, onFile: OnFile): boolean {
  let value: unknown;
  try {
    value = JSON.parse(buffer.toString("utf8", start, end));
  } catch {
    return false;
  }
  if (typeof value !== "object" || value === null) return false;
  const found: Readonly<Record<string, unknown>> = { ...value };
  if (found["IsDir"] === true) return true;
  const path = found["Path"] ?? found["path"];
  const raw = found["path_base64"];
  const size = found["Size"] ?? found["size"];
  if (typeof path !== "string" || typeof size !== "number") return false;
  const bytes = typeof raw === "string" ? Buffer.from(raw, "base64") : Buffer.from(path, "utf8");
  onFile(bytes, 0, bytes.length, Math.max(size, 0));
  return true;
}
