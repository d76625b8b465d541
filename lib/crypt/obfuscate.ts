import { isUtf8 } from "node:buffer";
import type { CryptKeys } from "./keys.ts";
import { isSafe } from "./plainnames.ts";
import type { Segments } from "./segments.ts";

/** What is not UTF-8 is kept behind this. */
const kept = "!.";

/**
 * What rclone calls obfuscate: `SUM.ROTATED`. Characters are rotated within their range by the sum
 * of all and the key; `!` quotes itself. It keeps nothing secret.
 */
export function obfuscatedSegments(keys: Pick<CryptKeys, "name">): Segments {
  const keySum = keys.name.reduce((sum, byte) => sum + byte, 0);

  function encode(plain: string): string {
    const bytes = Buffer.from(plain, "latin1");
    if (!isUtf8(bytes)) return kept + plain;
    const text = bytes.toString("utf8");
    let sum = 0;
    for (const character of text) sum += character.codePointAt(0) ?? 0;
    sum %= 256;
    let rotated = "";
    for (const character of text)
      rotated += character === "!" ? "!!" : rotate(character, sum + keySum, 1);
    return `${sum}.${Buffer.from(rotated, "utf8").toString("latin1")}`;
  }

  function decode(stored: string): string | undefined {
    const plain = stored.startsWith(kept) ? stored.slice(kept.length) : turnBack(stored, keySum);
    // Only what encodes to just this is ours: a wrong key is found out by the sum.
    if (plain === undefined || encode(plain) !== stored) return undefined;
    return isSafe(plain) && !plain.includes("/") ? plain : undefined;
  }

  return { encode, decode: (stored) => stored.map(decode) };
}

function turnBack(stored: string, keySum: number): string | undefined {
  const [, sum, rotated = ""] = /^(\d{1,3})\.(.*)$/s.exec(stored) ?? [];
  if (sum === undefined) return undefined;
  let plain = "";
  let quoted = false;
  for (const character of Buffer.from(rotated, "latin1").toString("utf8")) {
    if (!quoted && character === "!") {
      quoted = true;
      continue;
    }
    plain += quoted ? character : rotate(character, Number(sum) + keySum, -1);
    quoted = false;
  }
  return Buffer.from(plain, "utf8").toString("latin1");
}

/** Rotates one character within its range by an amount that hangs on the range too. */
function rotate(character: string, by: number, direction: 1 | -1): string {
  const code = character.codePointAt(0) ?? 0;
  const within = (first: number, size: number, steps: number): string =>
    String.fromCodePoint(first + ((code - first + direction * steps + size) % size));
  if (/[0-9]/.test(character)) return within(0x30, 10, (by % 9) + 1);
  if (/[A-Za-z]/.test(character)) {
    const place = letters.indexOf(character) + direction * ((by % 25) + 1);
    return letters.charAt((place + letters.length) % letters.length);
  }
  if (code >= 0xa0 && code <= 0xff) return within(0xa0, 96, (by % 95) + 1);
  if (code >= 0x100) return within(code - (code % 256), 256, (by % 127) + 1);
  return character;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
