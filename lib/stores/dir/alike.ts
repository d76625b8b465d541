/** What a listing or a manifest says of a file; -1 and an empty time where nobody knows. */
interface Described {
  readonly size: number;
  readonly time: string;
}

/** Stores keep times in nanoseconds, milliseconds, seconds, or every other second. */
const coarsest = 2000;

/** Whether two descriptions may be of one file: the same size, and the same time as far as stores keep it. */
export function alike(one: Described, other: Described): boolean {
  if (!sameSize(one, other)) return false;
  const apart = Math.abs(Date.parse(one.time) - Date.parse(other.time));
  return apart < coarsest;
}

/** Whether nothing speaks against the same size. */
export function sameSize(one: Described, other: Described): boolean {
  return one.size === other.size || one.size < 0 || other.size < 0;
}
