import { excludeRule } from "../rclone/exact.ts";
import { rawFromSystem } from "../units/encoding.ts";
import { isUtf8, type RawPath } from "../units/rawpath.ts";

/**
 * The path by which a rule names a file, or undefined where a rule would name others too, or none: for
 * bytes that are not UTF-8, control characters, and what rclone shows them as.
 */
export function namedByRule(path: string): RawPath | undefined {
  const raw = rawFromSystem(path);
  const hasWords = raw === path && isUtf8(raw) && !/\xc2[\x80-\x9f]/.test(path);
  return hasWords ? raw : undefined;
}

/** The rule that leaves out this file. */
export function ruleFor(path: RawPath): string {
  return excludeRule(path, false);
}

/** rclone refuses lines of 64 KiB. */
const longestLine = 60_000;

/**
 * Packs many files into one rule, an expression of rclone's: it tries each rule on each file, so
 * that a hundred thousand of them would take it hours.
 */
export class RuleMerger {
  #expressions: string[] = [];
  #bytes = 0;

  /** A rule that is full, if this file needs room. */
  add(path: RawPath): string | undefined {
    const expression = escapeExpression(Buffer.from(path, "latin1").toString("utf8"));
    const bytes = Buffer.byteLength(expression) + 1;
    const full = this.#bytes + bytes > longestLine ? this.end() : undefined;
    this.#expressions.push(expression);
    this.#bytes += bytes;
    return full;
  }

  /** The rule of what is left. */
  end(): string | undefined {
    if (this.#expressions.length === 0) return undefined;
    // In order, common beginnings stand side by side, and rclone's expressions look at them once.
    const rule = `- /{{(${this.#expressions.toSorted().join("|")})}}`;
    this.#expressions = [];
    this.#bytes = 0;
    return rule;
  }
}

/** Braces as codes, since two of them are the end of the expression to rclone. */
function escapeExpression(text: string): string {
  return text
    .replaceAll(/[\\.+*?()|[\]^$]/g, "\\$&")
    .replaceAll("{", String.raw`\x7B`)
    .replaceAll("}", String.raw`\x7D`);
}
