import { sizeIn } from "./size.ts";

/** Where in a line of `ls -l` or `tar tv` its name begins, and the size that it tells. */
export interface Columns {
  nameStart: number;
  size: number;
}

const space = 0x20;
const dash = 0x2d;
const colon = 0x3a;

const typeLetters = tableOf("-bcCdDhlLmMnNpPsSV?");
const permissionLetters = tableOf("rwxsStT-?lL");

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) table[byte] = 1;
  return table;
}

/** Type and permissions; ls adds a sign for an ACL or a label. */
export function isMode(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < 10 || typeLetters[buffer[start] ?? 0] === 0) return false;
  for (let at = start + 1; at < start + 10; at += 1)
    if (permissionLetters[buffer[at] ?? 0] === 0) return false;
  return true;
}

/**
 * Finds the columns of the line of a regular file, whose mode begins at `start`. `links` says
 * whether a number of links follows the mode, as in ls and bsdtar, or `owner/group`, as in GNU tar.
 * Returns whether it is such a line; `found` is then filled.
 */
export function readColumns(
  buffer: Buffer,
  start: number,
  end: number,
  links: boolean,
  found: Columns,
): boolean {
  let at = start;
  // Mode, links, owner, group; or mode and owner/group.
  for (let column = links ? 4 : 2; column > 0; column -= 1) at = skipColumn(buffer, at, end);
  const sizeEnd = wordEnd(buffer, at, end);
  const size = sizeIn(buffer, at, sizeEnd);
  const name = size === undefined ? -1 : afterDate(buffer, skipBlanks(buffer, sizeEnd, end), end);
  if (size === undefined || name < 0 || name >= end)
    return searchColumns(buffer, start, end, found);
  found.size = size;
  found.nameStart = name;
  return true;
}

/**
 * Where the name begins, after one blank behind the date; -1 when there is no date. The forms are
 * those of `ls` with each of its time styles, of BSD and busybox, and of both tars.
 */
function afterDate(buffer: Buffer, start: number, end: number): number {
  const first = wordEnd(buffer, start, end);
  if (first - start === 10 && buffer[start + 4] === dash && buffer[start + 7] === dash) {
    // `iso` tells no time of an old file, and a blank in its place.
    if (buffer[first + 1] === space) return first + 2;
    const second = wordEnd(buffer, first + 1, end);
    if (buffer[first + 3] !== colon) return -1;
    return afterZone(buffer, second, second - first > 6, end);
  }
  if (first - start === 5 && buffer[start + 2] === dash)
    return buffer[first + 3] === colon ? wordEnd(buffer, first + 1, end) + 1 : -1;
  const second = skipBlanks(buffer, first, end);
  const third = skipBlanks(buffer, wordEnd(buffer, second, end), end);
  const thirdEnd = wordEnd(buffer, third, end);
  const isTime = buffer[third + 2] === colon;
  if (!isTime && !isYear(buffer, third, thirdEnd)) return -1;
  if (isTime && thirdEnd - third === 8) {
    // BSD with -T: seconds, then the year.
    const fourthEnd = wordEnd(buffer, thirdEnd + 1, end);
    if (isYear(buffer, thirdEnd + 1, fourthEnd) && fourthEnd < end) return fourthEnd + 1;
  }
  return thirdEnd + 1;
}

/** Full times of ls end in a zone such as +0100; the times of tar, which have seconds too, don't. */
function afterZone(buffer: Buffer, timeEnd: number, withSeconds: boolean, end: number): number {
  const sign = buffer[timeEnd + 1];
  const zoneEnd = timeEnd + 6;
  if (!withSeconds || (sign !== 0x2b && sign !== dash) || buffer[zoneEnd] !== space)
    return timeEnd + 1;
  return isYear(buffer, timeEnd + 2, zoneEnd) && zoneEnd < end ? zoneEnd + 1 : timeEnd + 1;
}

function isYear(buffer: Buffer, start: number, end: number): boolean {
  if (end - start !== 4) return false;
  for (let at = start; at < end; at += 1) {
    const byte = buffer[at] ?? 0;
    if (byte < 0x30 || byte > 0x39) return false;
  }
  return true;
}

/** For lines whose columns are more or fewer than usual: no group, or an owner with a blank in it. */
function searchColumns(buffer: Buffer, start: number, end: number, found: Columns): boolean {
  const line = buffer.toString("latin1", start, end);
  const match =
    /^\S+ .*?(?<=\s)(\d+(?:\.\d+)?[KMGTPE]?)\s+(?:\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: [+-]\d{4}(?= ))?|\d{4}-\d\d-\d\d |\d\d-\d\d \d\d:\d\d|\S+ +\S+ +(?:\d\d:\d\d(?::\d\d(?: \d{4}(?= ))?)?|\d{4})) /s.exec(
      line,
    );
  if (match === null || match[0].length >= line.length) return false;
  const size = Buffer.from(match[1] ?? "", "latin1");
  found.size = sizeIn(size, 0, size.length) ?? 0;
  found.nameStart = start + match[0].length;
  return true;
}

function skipColumn(buffer: Buffer, start: number, end: number): number {
  return skipBlanks(buffer, wordEnd(buffer, start, end), end);
}

function wordEnd(buffer: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && buffer[at] !== space) at += 1;
  return at;
}

function skipBlanks(buffer: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && buffer[at] === space) at += 1;
  return at;
}
