import type { Count } from "../units/count.ts";
import { Counter } from "../units/count.ts";
import type { Coverage } from "./coverage.ts";
import { dayText } from "./days.ts";
import { believed } from "./next.ts";

/** What a coverage is made of: files by their place. */
export interface Counted {
  readonly count: number;
  readonly sizes: Float64Array;
  readonly days: Uint16Array;
  /** Of large files, how many bytes were read back. */
  readonly begun: ReadonlyMap<number, number>;
  /** Large files that changed again and again before all of them was read. */
  readonly restarted: ReadonlySet<number>;
}

/** Sums a ledger up. `today` tells days that a wrong clock wrote. */
export function sumUp(
  { count, sizes, days, begun, restarted }: Counted,
  today: number,
): Omit<Coverage, "version" | "at" | "hash"> {
  const total = new Counter();
  const never = new Counter();
  const started = new Counter();
  const uncoverable = new Counter();
  const perDay = new Map<number, Counter>();
  for (let file = 0; file < count; file += 1) {
    const size = sizes[file] ?? 0;
    const day = believed(days[file] ?? 0, today);
    total.add(size);
    if (day > 0) {
      const counter = perDay.get(day) ?? new Counter();
      counter.add(size);
      perDay.set(day, counter);
      continue;
    }
    never.add(size);
    if (size < 0 || (restarted.size > 0 && restarted.has(file))) uncoverable.add(size);
    const offset = begun.size > 0 ? (begun.get(file) ?? 0) : 0;
    if (offset > 0) started.add(offset);
  }
  return {
    total: total.count,
    never: never.count,
    begun: started.count,
    days: [...perDay]
      .toSorted(([a], [b]) => a - b)
      .map(([day, counter]): Count & { day: string } => ({ day: dayText(day), ...counter.count })),
    uncoverable: uncoverable.count,
  };
}
