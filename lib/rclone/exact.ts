import { isUtf8, rawFromBytes, replacement, textFromRaw, type RawPath } from "../units/rawpath.ts";

/** The rule that leaves out exactly one file, or with `below` all that is below one directory. */
export function excludeRule(path: RawPath, below: boolean): string {
  return `- /${below ? `${escapeGlob(path)}/**` : bracketLast(path)}`;
}

/**
 * Rules that let through one file, or with `below` all that is below one directory; with `anyTop` in
 * each directory of the top. Names that are not UTF-8 may let through others too.
 */
export function onlyRules(path: RawPath, below: boolean, anyTop: boolean): string[] {
  const glob = below ? `${escapeGlob(path)}/**` : bracketLast(path);
  return [`+ /${anyTop ? "*/" : ""}${glob}`, "- **"];
}

/**
 * Rules that let through the files right in the directories of these paths. A name that is not UTF-8, or stands for such
 * by U+FFFD, lets through others too.
 */
export function childrenRules(paths: readonly RawPath[]): string[] {
  const parents = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1)));
  const globs = [...parents].map((parent) => escapeGlob(rawFromBytes(parent)));
  return [...globs.map((glob) => `+ /${glob.replaceAll(replacement, "?")}*`), "- **"];
}

/**
 * A path as a glob that matches it alone. Bytes that are not UTF-8 can't stand in a rule: `?` takes
 * each, and so any other character in its place.
 */
function escapeGlob(path: RawPath): string {
  if (isUtf8(path)) return escapeText(textFromRaw(path));
  let glob = "";
  for (const piece of piecesOf(path)) glob += isUtf8(piece) ? escapeText(textFromRaw(piece)) : "?";
  return glob;
}

function escapeText(text: string): string {
  return text.replaceAll(/[\\*?[\]{}]/g, "\\$&");
}

/** rclone cuts white space off the end of a line, so a last character of that kind stands in brackets. */
function bracketLast(path: RawPath): string {
  const glob = escapeGlob(path);
  const last = /[\s\u0085]$/u.exec(glob)?.[0];
  return last === undefined ? glob : `${glob.slice(0, -last.length)}[${last}]`;
}

/** Runs of UTF-8, and between them single bytes that are none. */
function* piecesOf(path: RawPath): Generator<RawPath> {
  // One character of UTF-8 in Latin-1 clothes, or any one byte.
  const unit =
    // oxlint-disable-next-line no-control-regex -- ASCII as a whole is meant
    /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^]/g;
  for (const [piece] of path.matchAll(unit)) yield rawFromBytes(piece);
}
