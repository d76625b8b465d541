import { badRequest } from "./errors.ts";

/** The order of the service: by the bytes of UTF-8. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

// Halves of surrogate pairs stand for characters beyond all that one UTF-16 unit can be.
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

const maximumName = 1024;

/** Throws unless the service takes this as the name of a file. */
export function checkName(name: string): void {
  const length = Buffer.byteLength(name);
  if (length === 0) throw badRequest("File names must contain at least one character");
  if (length > maximumName)
    throw badRequest(`File name too long in UTF8. Limit ${maximumName} bytes. Found ${length}`);
  if (name.startsWith("/")) throw badRequest("File names must not start with '/'");
  if (name.endsWith("/")) throw badRequest("File names must not end with '/'");
  if (name.includes("//")) throw badRequest("File names must not contain '//'");
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 32) throw badRequest(`File names must not contain character ${code}`);
    if (code === 127) throw badRequest("File names must not contain DEL");
    if (character === "\\") throw badRequest("File names must not contain '\\'");
  }
}

/** Reads a name or value from a header or an address, where `+` is a space too. */
export function decodeName(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", "%20"));
  } catch {
    throw badRequest(`bad percent-encoding: ${text}`);
  }
}

/** Writes a name or value for a header. */
export function encodeName(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/");
}

/** The first index from `low` to before `high` that holds, else `high`; all behind one that holds do too. */
export function firstIndex(low: number, high: number, holds: (index: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
