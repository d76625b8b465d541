import { usage } from "../errors.ts";

/** A word of a unit file as systemd reads it: quoted where needed, its specifiers taken literally. */
export function unitWord(text: string): string {
  const literal = plainText(text).replaceAll("%", "%%");
  if (/^[^\s"'\\;#]+$/.test(literal)) return literal;
  return `"${literal.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** Words of a command line in a unit, where a dollar sign would begin a variable. */
export function unitCommand(words: readonly string[]): string {
  return words.map((word) => unitWord(word).replaceAll("$", "$$$$")).join(" ");
}

/** The text of an element of XML. */
export function xmlText(text: string): string {
  return plainText(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A line break would begin a line of its own, with another meaning. Throws a usage failure. */
export function plainText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (!/[\0-\x1f\x7f]/.test(text)) return text;
  throw usage(
    `expected a path or a name without control characters, found ${JSON.stringify(text)}`,
    { hint: "rename it: no service file can hold it" },
  );
}
