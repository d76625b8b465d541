/** Numbers from 1 to `largest` in an order, with room between them for what comes later. */
export interface Numbering {
  readonly largest: number;
  /** What lies between two of a new row; less where there are very many. */
  readonly step: number;
  /** Whether the last of a new row gets a number far behind: it stays last, and others come before it. */
  readonly lastIsFar: boolean;
}

export interface Numbered {
  /** Undefined: needs one. The others increase. */
  readonly number: number | undefined;
  /** What it costs to give it another number. */
  readonly weight: number;
}

/** Where a gap is used up, there is so much room for each afterwards. */
const spare = 64;

/**
 * A number for each, increasing. Those that have one keep it, unless a gap is used up: then the
 * lightest around it get others, as few as make room.
 * Throws a RangeError for more items than numbers.
 */
export function fillNumbers(items: readonly Numbered[], numbering: Numbering): number[] {
  if (items.length > numbering.largest) throw new RangeError("more items than numbers");
  const numbers = items.map(({ number }) => number);
  if (numbers.every((number) => number === undefined)) return firstNumbers(items.length, numbering);
  const filled: number[] = [];
  for (let at = 0; at < items.length; at += 1) {
    const own = numbers[at];
    // An earlier gap may have moved it.
    if (filled[at] !== undefined) continue;
    if (own !== undefined) {
      filled[at] = own;
      continue;
    }
    const end = nextNumbered(numbers, at);
    fillGap(items, numbers, filled, at, end, numbering);
  }
  return filled;
}

function firstNumbers(count: number, { largest, step, lastIsFar }: Numbering): number[] {
  const each = Math.max(Math.min(step, Math.floor(largest / (4 * count))), 1);
  const numbers = Array.from({ length: count }, (_, at) => each * (at + 1));
  if (lastIsFar && count > 1)
    numbers[count - 1] = Math.max(count * each, largest - Math.floor(largest / 10));
  return numbers;
}

function nextNumbered(numbers: readonly (number | undefined)[], from: number): number {
  let at = from;
  while (at < numbers.length && numbers[at] === undefined) at += 1;
  return at;
}

function fillGap(
  items: readonly Numbered[],
  numbers: (number | undefined)[],
  filled: number[],
  first: number,
  end: number,
  { largest, step }: Numbering,
): void {
  let [from, to] = [first, end];
  const below = (): number => (from === 0 ? 0 : (filled[from - 1] ?? 0));
  const above = (): number => numbers[to] ?? largest + 1;
  const room = (): number => above() - below() - 1;
  // What comes in the same place next is likely to come behind: most of the room is left there.
  let each = Math.min(step, Math.max(Math.floor(room() / (2 * (to - from) + 2)), 1));
  if (room() < to - from) {
    const wanted = spare * (to - from);
    // The room that giving up a number gains, for its weight.
    const worth = (gap: number, at: number): number =>
      Math.min(gap, wanted) / (1 + (items[at]?.weight ?? 0));
    while (room() < spare * (to - from) && (from > 0 || to < items.length)) {
      const behind = nextNumbered(numbers, to + 1);
      const left = from === 0 ? -1 : worth(below() - (filled[from - 2] ?? 0), from - 1);
      const right = to >= items.length ? -1 : worth((numbers[behind] ?? largest + 1) - above(), to);
      if (left >= right) from -= 1;
      // New ones behind it belong to the same gap then.
      else to = behind;
    }
    each = Math.floor((room() + 1) / (to - from + 1));
  }
  const start = below();
  for (let at = from; at < to; at += 1) filled[at] = start + each * (at - from + 1);
}
