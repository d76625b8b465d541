import { failed } from "../errors.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Names } from "./names.ts";

/** Segments that name no file, and characters that the standard encoding has replaced. */
// oxlint-disable-next-line no-control-regex
const unsafe = /(?:^|\/)\.{0,2}(?:\/|$)|[\0-\x1f\x7f]/;

/** Whether a path can be a file below a directory: no empty, `.` or `..` segment, no control character. */
export function isSafe(path: string): boolean {
  return !unsafe.test(path);
}

/**
 * Throws for a path that no file below a directory can have. The directory itself, an empty path,
 * is left to the caller.
 */
export function assertSafe(path: string): void {
  if (!isSafe(path))
    throw failed(
      `expected a relative path without empty, . or .. segments and control characters, found ${JSON.stringify(path)}`,
    );
}

/** Names and sizes of a store without encryption. */
export const plainNames: Names = {
  decode: (stored) => stored.map((path) => (isSafe(path) ? path : undefined)),
  encode(plain, kind) {
    if (kind === "file" || plain !== "") assertSafe(plain);
    return plain;
  },
  plainSize: (storedSize) => storedSize,
};

/** Encryption over encryption, the outermost first: what the user sees as plain is there. */
export function stackNames(layers: readonly Names[]): Names {
  const [outermost, ...inner] = layers;
  if (outermost === undefined) return plainNames;
  if (inner.length === 0) return outermost;
  const below = stackNames(inner);
  return {
    decode(stored) {
      const middle = below.decode(stored);
      const known: RawPath[] = [];
      for (const path of middle) if (path !== undefined) known.push(path);
      const plain = outermost.decode(known);
      let at = 0;
      return middle.map((path) => (path === undefined ? undefined : plain[at++]));
    },
    encode: (plain, kind) => below.encode(outermost.encode(plain, kind), kind),
    plainSize(storedSize) {
      const size = below.plainSize(storedSize);
      return size === undefined ? undefined : outermost.plainSize(size);
    },
  };
}
