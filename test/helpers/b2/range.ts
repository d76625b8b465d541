import { B2Error, badRequest } from "./errors.ts";

/** `bytes=A-B` (or `bytes=A-`) as the place of the first byte and of the one behind the last. */
export function rangeOf(text: string, size: number): [number, number] {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(text) ?? [];
  if (from === undefined) throw badRequest(`bad range: ${text}`);
  const start = Number(from);
  const end = to === undefined || to === "" ? size : Math.min(Number(to) + 1, size);
  if (start >= size || end <= start)
    throw new B2Error(
      416,
      "range_not_satisfiable",
      `The Range ${text} of ${size} is unsatisfiable`,
    );
  return [start, end];
}
