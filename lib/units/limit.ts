import { Failure, usage } from "../errors.ts";
import { parseBytes } from "./bytes.ts";
import { parsePercent } from "./percent.ts";

/** How much a guard lets through. */
export type Limit =
  | { readonly kind: "off" }
  /** 0 to 100. */
  | { readonly kind: "percent"; readonly percent: number }
  | { readonly kind: "files"; readonly files: number }
  | { readonly kind: "bytes"; readonly bytes: number };

/**
 * Reads `50%`, `1000` (files), `10G` (bytes; K is 1024) or `off`.
 * Throws a usage failure on anything else.
 */
export function parseLimit(text: string): Limit {
  if (text.toLowerCase() === "off") return { kind: "off" };
  if (text.endsWith("%")) return { kind: "percent", percent: parsePercent(text) };
  if (/^\d+$/.test(text)) {
    const files = Number(text);
    if (Number.isSafeInteger(files)) return { kind: "files", files };
  }
  // Without a unit a number counts files, and there is no half a file.
  if (!/^[\d.]*$/.test(text)) {
    try {
      return { kind: "bytes", bytes: parseBytes(text) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
  throw usage(
    `expected a limit such as 50%, 1000 (files), 10G or off, found ${JSON.stringify(text)}`,
  );
}
