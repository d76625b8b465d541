import { isUtf8 as bufferIsUtf8 } from "node:buffer";
import { splitMark } from "./versionmark.ts";

/** How a crypt remote names what it stores. */
export interface NameEncryption {
  readonly mode: "standard" | "obfuscate" | "off";
  readonly encoding: "base32" | "base64" | "base32768";
  /** Whether names of directories are encrypted too. */
  readonly directories: boolean;
  /** Appended to names of files that are not encrypted. */
  readonly suffix: string;
}

/** Reads the options of a crypt remote; undefined for a mode or an encoding that is not known here. */
export function nameEncryption(options: ReadonlyMap<string, string>): NameEncryption | undefined {
  const mode = (options.get("filename_encryption") || "standard").toLowerCase();
  const encoding = (options.get("filename_encoding") || "base32").toLowerCase();
  if (mode !== "standard" && mode !== "obfuscate" && mode !== "off") return undefined;
  if (encoding !== "base32" && encoding !== "base64" && encoding !== "base32768") return undefined;
  const suffix = options.get("suffix") || ".bin";
  return {
    mode,
    encoding,
    directories: !/^(false|f|0)$/i.test(options.get("directory_name_encryption") ?? ""),
    suffix: suffix.toLowerCase() === "none" ? "" : suffix.replace(/^(?!\.)/, "."),
  };
}

const block = 16;

/**
 * The fewest bytes that the name can have under which crypt stores one segment of a path; exact but
 * for base32768. The segment is in rclone's standard encoding, its bytes one by one in a Latin-1
 * string, as in a RawPath.
 */
export function storedLength(segment: string, isFile: boolean, names: NameEncryption): number {
  if (names.mode === "off") return segment.length + (isFile ? names.suffix.length : 0);
  if (!isFile && !names.directories) return segment.length;
  // A file's version mark stays readable and is put behind the encrypted rest.
  const { rest, mark } = (isFile ? splitMark(segment) : undefined) ?? { rest: segment, mark: "" };
  if (rest === "") return mark.length;
  const length =
    names.mode === "standard"
      ? encodedLength(paddedLength(rest.length), names.encoding).least
      : obfuscatedLength(rest);
  return length + mark.length;
}

/** The longest segment that fits a limit whatever its characters are: what is no longer needs no look. */
export function alwaysFits(limit: number, names: NameEncryption): number {
  const fits = (length: number): boolean => {
    switch (names.mode) {
      case "off":
        return length + names.suffix.length <= limit;
      case "obfuscate":
        // Every character may be the one that is doubled.
        return 4 + 2 * length <= limit;
      case "standard":
        // With a version mark of 23 bytes, which is never shorter outside than inside.
        return (
          encodedLength(paddedLength(length), names.encoding).most <= limit && length + 23 <= limit
        );
    }
  };
  let length = 0;
  while (fits(length + 1)) length += 1;
  return length;
}

/** PKCS#7 always pads, so a whole number of blocks becomes one block more. */
function paddedLength(bytes: number): number {
  return (Math.floor(bytes / block) + 1) * block;
}

function encodedLength(
  bytes: number,
  encoding: NameEncryption["encoding"],
): { readonly least: number; readonly most: number } {
  if (encoding === "base32768") {
    // 15 bits a character of three bytes; one in two hundred has two, and which ones depends on the
    // key: more than a dozen of them in a name can be left out of account.
    const most = 3 * Math.ceil((bytes * 8) / 15);
    return { least: Math.max(most - 12, 0), most };
  }
  const length = Math.ceil(encoding === "base32" ? (bytes * 8) / 5 : (bytes * 4) / 3);
  return { least: length, most: length };
}

/** `<sum of the characters mod 256>.<the characters, rotated>`: `!` quotes itself. */
function obfuscatedLength(segment: string): number {
  const bytes = Buffer.from(segment, "latin1");
  // What is not UTF-8 is kept as it is.
  if (!bufferIsUtf8(bytes)) return segment.length + "!.".length;
  let sum = 0;
  let quotes = 0;
  for (const character of bytes.toString("utf8")) {
    sum += character.codePointAt(0) ?? 0;
    if (character === "!") quotes += 1;
  }
  return String(sum % 256).length + 1 + segment.length + quotes;
}
