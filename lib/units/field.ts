import { rawFromBytes, type RawPath } from "./rawpath.ts";

// oxlint-disable-next-line no-control-regex
const unwritable = /[\0-\x1f\x7f%]/g;

/**
 * A name as a field of a line, where TAB ends a field: control characters and `%` become `%` and two
 * hexadecimal digits. A store may hold names of any bytes. Names without control characters keep
 * their order.
 */
export function fieldFromName(name: RawPath): string {
  return name.replaceAll(
    unwritable,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** The name of which fieldFromName made a field. */
export function nameFromField(field: string): RawPath {
  return rawFromBytes(field.replaceAll(/%([0-9a-f]{2})/g, (_, code: string) => characterOf(code)));
}

function characterOf(code: string): string {
  return String.fromCharCode(Number.parseInt(code, 16));
}
