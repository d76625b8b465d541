import { usage } from "../errors.ts";

const letters = ["B", "K", "M", "G", "T", "P"];
const grammar = /^(\d+(?:\.\d+)?)(?:B|([KMGTP])(?:iB?)?)?$/i;

/**
 * The number of bytes that a size such as `1.5G`, `10K`, `512` or `2GiB` means: K is 1024, a bare
 * number counts bytes, parts of a byte are rounded.
 * Throws a usage failure on anything else; `10GB` too, since it would leave open whether 1000 or
 * 1024 is meant.
 */
export function parseBytes(text: string): number {
  const match = grammar.exec(text);
  if (match === null) {
    const hint = /^\d+(?:\.\d+)?[KMGTP]B$/i.test(text)
      ? `write ${text.slice(0, -1)} (1024 based)`
      : "a number, then B, K, M, G, T or P if it isn't bytes; K is 1024";
    throw usage(`expected a size such as 10G, found ${JSON.stringify(text)}`, { hint });
  }
  const power = letters.indexOf((match[2] ?? "B").toUpperCase());
  const bytes = Math.round(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) {
    throw usage(`expected a size below 8P, found ${JSON.stringify(text)}`);
  }
  return bytes;
}
