import type { Section } from "./scanner.ts";

/** What every session begins and ends with; joined for some tables, too. */
const frame = new Set(["head", "settings", "tail"]);

/** What only sets a session up, of all that the dump programs write: comments, and settings of the session. */
const harmless = [
  /^(?:--|\\(?:un)?restrict |[\s;]*$)/,
  /^SELECT pg_catalog\.set_config\(/,
  /^SET (?!GLOBAL |PERSIST|@@(?:GLOBAL|PERSIST))/i,
  /^\/\*!\d+ SET (?!GLOBAL )/,
  // Of the server's own statistics alone.
  /^\/\*!\d+ SET GLOBAL INNODB_STATS_AUTO_RECALC ?=/,
  /^\/\*M?!\d+(?: SET (?!GLOBAL )|\\- enable the sandbox mode )/,
];

/**
 * The first line that does more than set the session up, in what is joined for some tables though it belongs to none of
 * them: a DROP of all that the dump holds, or a replica's position. Undefined where there is none.
 */
export function beyondSession({ kind }: Section, bytes: Buffer): string | undefined {
  if (!frame.has(kind)) return undefined;
  return bytes
    .toString("utf8")
    .split("\n")
    .find((line) => !harmless.some((pattern) => pattern.test(line)));
}
