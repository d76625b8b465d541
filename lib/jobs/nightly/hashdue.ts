/** So much of a clock that was set back, in milliseconds, is no reason to doubt. */
const clockTolerance = 3_600_000;

/** A comparison of all checksums that did not come to its end is tried again after so many milliseconds. */
const retryAfter = 7 * 86_400_000;

/** What is known of the comparisons of all checksums of a backup. */
interface Hashed {
  /** When the last one came to its end. */
  readonly doneAt: Date | undefined;
  /** When the last one began; RFC 3339. */
  readonly triedAt: string | undefined;
}

/** Whether it is time to compare all checksums, which is done every so many seconds. */
export function isHashDue(every: number, { doneAt, triedAt }: Hashed, now: Date): boolean {
  const tried = triedAt === undefined ? undefined : new Date(triedAt);
  // Tried since without coming to its end: most likely it would not tonight either.
  const inVain = tried !== undefined && (doneAt === undefined || doneAt < tried);
  if (inVain && isWithin(tried, retryAfter, now)) return false;
  return doneAt === undefined || !isWithin(doneAt, every * 1000, now);
}

/** Whether something is less than `span` milliseconds ago; what is still to come was written by a wrong clock. */
function isWithin(time: Date, span: number, now: Date): boolean {
  const age = now.getTime() - time.getTime();
  return age < span && age >= -clockTolerance;
}
