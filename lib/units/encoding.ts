import type { RawPath } from "./rawpath.ts";
import { rawFromBytes } from "./rawpath.ts";

/*
 * How rclone's local backend names what it finds on a Unix disk. It reads a name in its own encoding
 * (only NUL, `/` and the names `.` and `..` are replaced there) and shows it in the standard one, in
 * which control characters are replaced too and whatever looks like a replacement is quoted.
 * Names here are Latin-1 strings that hold one byte a character.
 */
const quote = "\xe2\x80\x9b"; // U+201B
const fullStop = "\xef\xbc\x8e"; // U+FF0E
const symbols = "\xe2\x90"; // the first two bytes of U+2400 to U+243F
/** Whole names that stand for `.`, `..` and their quoted forms, the same in both encodings. */
const dots = new Set([
  fullStop,
  fullStop + fullStop,
  quote + fullStop,
  quote + fullStop + quote + fullStop,
]);

// A quote and what it quotes on disk, or a quote alone; a picture of a control character; one itself.
const onDisk =
  // oxlint-disable-next-line no-control-regex
  /\xe2\x80\x9b(\xe2\x90\x80|\xe2\x80\x9b|\xef\xbc\x8f)?|\xe2\x90[\x81-\x9f\xa1]|[\x01-\x1f\x7f]/g;
// A quote and what it quotes in the standard encoding, or a quote alone; a control character's picture.
const inStandard =
  /\xe2\x80\x9b(\xe2\x90[\x80-\x9f\xa1]|\xe2\x80\x9b|\xef\xbc\x8f)?|\xe2\x90[\x81-\x9f\xa1]/g;
// oxlint-disable-next-line no-control-regex
const special = /[\x01-\x1f\x7f]|\xe2\x80\x9b|\xe2\x90/;

/**
 * The raw path under which rclone lists a relative path of a local disk, given as the bytes of the
 * system in a Latin-1 string. A lone U+201B is doubled, as rclone does, so two names may give one path.
 */
export function rawFromSystem(path: string): RawPath {
  if (!special.test(path)) return rawFromBytes(path);
  return rawFromBytes(path.split("/").map(standardName).join("/"));
}

/** The bytes on a local disk (as a Latin-1 string) of the file that rclone opens for a raw path. */
export function systemFromRaw(path: RawPath): string {
  if (!special.test(path)) return path;
  return path.split("/").map(systemName).join("/");
}

function standardName(name: string): string {
  if (dots.has(name)) return name;
  return name.replace(onDisk, (found: string, quoted: string | undefined) => {
    if (found.length === 1) return symbols + String.fromCharCode(pictureOf(found.charCodeAt(0)));
    if (!found.startsWith(quote)) return quote + found;
    return quoted === undefined ? quote + quote : found;
  });
}

function systemName(name: string): string {
  if (dots.has(name)) return name;
  return name.replace(inStandard, (found: string, quoted: string | undefined) => {
    if (!found.startsWith(quote)) return String.fromCharCode(controlOf(found.charCodeAt(2)));
    if (quoted === undefined) return quote + quote;
    // A quoted picture of a control character is itself on disk; the other three stay quoted there.
    return quoted.startsWith(symbols) && quoted !== `${symbols}\x80` ? quoted : found;
  });
}

/** The last byte of the picture: DEL's U+2421 stands apart from the others. */
function pictureOf(control: number): number {
  return control === 0x7f ? 0xa1 : 0x80 + control;
}

function controlOf(lastByte: number): number {
  return lastByte === 0xa1 ? 0x7f : lastByte - 0x80;
}
