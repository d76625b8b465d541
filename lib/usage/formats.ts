import { isMode } from "./columns.ts";
import { lsParser } from "./ls.ts";
import { lsjsonParser } from "./lsjson.ts";
import type { ListingParser, OnFile, Unread } from "./lines.ts";
import { plainParser } from "./plain.ts";
import { sizeIn } from "./size.ts";
import { hasLinks, tarParser } from "./tar.ts";

export const formats = ["ls", "tar", "rclone-ls", "lsjson", "plain"] as const;
/** `ls -lR`, `tar tv`, `rclone ls`, `rclone lsjson`, and lines `SIZE PATH` of any program. */
export type Format = (typeof formats)[number];

export const parsers: Readonly<Record<Format, (onFile: OnFile, unread: Unread) => ListingParser>> =
  {
    ls: lsParser,
    tar: tarParser,
    "rclone-ls": plainParser,
    lsjson: lsjsonParser,
    plain: plainParser,
  };

/** How names come in a format: ls and tar tell those of the system, rclone its own encoding of them. */
export function namesOf(format: Format): "system" | "standard" {
  return format === "ls" || format === "tar" ? "system" : "standard";
}

/** How much of a listing `detectFormat` wants to see. */
export const sampleLength = 65_536;

/** What a listing is, by its beginning; undefined where it is none of them. */
export function detectFormat(sample: Buffer): Format | undefined {
  const lines = linesOf(sample);
  const [first, second] = lines;
  if (first === undefined) return "plain";
  const total = /^[^\s\d]\S* [\d.,]+[KMGTPE]?$/;
  if (total.test(first) || (first.endsWith(":") && second !== undefined && total.test(second)))
    return "ls";
  if (/^\s*[[{]/.test(first)) return "lsjson";
  const line = Buffer.from(first, "latin1");
  if (isMode(line, 0, line.length)) return longFormat(line);
  const [, blanks = "", size = "", rest] = /^( *)(\S+)([ \t].*)?$/s.exec(first) ?? [];
  if (rest !== undefined) {
    const bytes = Buffer.from(size, "latin1");
    if (sizeIn(bytes, 0, bytes.length) !== undefined)
      return blanks.length + size.length >= 9 && rest.startsWith(" ") ? "rclone-ls" : "plain";
  }
  // A directory's name that holds a newline, before its colon.
  return lines.some((text, at) => at > 0 && total.test(text) && lines[at - 1]?.endsWith(":"))
    ? "ls"
    : undefined;
}

/** ls tells how many links a file has, which is 1 or more; bsdtar writes 0 there. */
function longFormat(line: Buffer): Format {
  if (!hasLinks(line, 0, line.length)) return "tar";
  return /^\S+ +0 /.test(line.toString("latin1")) ? "tar" : "ls";
}

/** The first lines that hold anything. */
function linesOf(sample: Buffer): readonly string[] {
  return sample
    .toString("latin1", 0, sampleLength)
    .split("\n", 50)
    .filter((line) => line.trim() !== "");
}
