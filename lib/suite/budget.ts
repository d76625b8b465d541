/**
 * Divides a budget so that nobody gets more than is wanted, and what one leaves goes to the others in equal
 * shares (max-min fairness). Whole numbers, together at most `total`; a share for each demand.
 */
export function divide(total: number, demands: readonly number[]): number[] {
  const shares = demands.map(() => 0);
  const bySize = demands
    .map((demand, at) => ({ demand: Math.max(Math.floor(demand), 0), at }))
    .toSorted((a, b) => a.demand - b.demand);
  let left = Math.max(Math.floor(total), 0);
  for (const [done, { demand, at }] of bySize.entries()) {
    const share = Math.min(demand, Math.floor(left / (bySize.length - done)));
    shares[at] = share;
    left -= share;
  }
  return shares;
}

/** The day that a moment falls on in a time zone, such as 2026-01-31. */
export function dayIn(timeZone: string, now: Date): string {
  // Sweden writes its days as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  }).format(now);
}

/** One of all that share a day. */
export interface Wanting {
  /** What is worth using in the whole day, with what it used already. */
  readonly demand: number;
  /** What it used today. */
  readonly spent: number;
  /** now: it may use its share; later: it may come for it today; done: what it left is for the others. */
  readonly turn: "now" | "later" | "done";
  /** The day on which it last got something; empty: never. */
  readonly lastDay: string;
}

/** The most that anybody can demand: what can be counted exactly. */
const most = Number.MAX_SAFE_INTEGER;

/**
 * What each may use now: its fair share of the day among all that want some of it, less what it used
 * already. So it does not matter who comes first. Together at most `left`; 0 for those whose turn it is not.
 */
export function entitled(total: number, left: number, all: readonly Wanting[]): number[] {
  // What was used by somebody who is not here any more.
  const known = all.reduce((sum, { spent }) => sum + spent, 0);
  const lost = Math.max(total - left - known, 0);
  const shares = divide(
    total - lost,
    all.map(({ demand, spent, turn }) => Math.min(turn === "done" ? spent : demand, most)),
  );
  const open = all.map(({ spent, turn }, at) =>
    turn === "now" ? Math.max((shares[at] ?? 0) - spent, 0) : 0,
  );
  return divide(left, open);
}

/**
 * As entitled, of what is of no use below `least`: where there is not enough of it for all, those have it
 * that waited longest, and the others nothing.
 */
export function entitledInTurn(
  total: number,
  left: number,
  all: readonly Wanting[],
  least: number,
): number[] {
  const shares = entitled(total, left, all);
  const tooLittle = all.some(
    ({ turn, demand, spent }, at) =>
      turn === "now" && demand - spent >= least && (shares[at] ?? 0) < least,
  );
  if (!tooLittle) return shares;
  const first = all
    .map(({ lastDay, turn, demand, spent }, at) => ({ lastDay, turn, rest: demand - spent, at }))
    .filter(({ turn, rest }) => turn !== "done" && rest >= least)
    .toSorted((a, b) => (a.lastDay < b.lastDay ? -1 : a.lastDay > b.lastDay ? 1 : a.at - b.at))
    .slice(0, Math.floor(left / least));
  const some = divide(
    left,
    first.map(({ rest }) => Math.min(rest, most)),
  );
  const given = all.map(() => 0);
  for (const [place, { at, turn }] of first.entries())
    if (turn === "now") given[at] = some[place] ?? 0;
  return given;
}
