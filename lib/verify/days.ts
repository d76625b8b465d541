const dayMs = 86_400_000;

/** The day of a moment in UTC, counted from 1970; as a ledger keeps it. */
export function dayOf(moment: Date): number {
  // 0 is for never, and so is a clock that stands at its beginning.
  return Math.min(Math.max(Math.floor(moment.getTime() / dayMs), 1), 0xffff);
}

const texts = new Map<number, string>();

/** `2026-01-31` for a day. */
export function dayText(day: number): string {
  let text = texts.get(day);
  if (text === undefined) {
    text = new Date(day * dayMs).toISOString().slice(0, 10);
    texts.set(day, text);
  }
  return text;
}

/** The day that `2026-01-31` means. */
export function dayFromText(text: string): number {
  return dayOf(new Date(text));
}
