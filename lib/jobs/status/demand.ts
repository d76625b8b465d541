import { loadAll, type FoundConfig } from "../../config/all.ts";
import type { LoadOptions } from "../../config/load.ts";
import { Failure } from "../../errors.ts";
import { divide } from "../../suite/budget.ts";
import type { Count } from "../../units/count.ts";
import { transactionsPerFile } from "../../verify/next.ts";

/** What of a backup is worth reading back in a day. */
export interface Demand {
  /** Plain bytes; at least one where there is any file, since empty ones are read too. */
  readonly bytes: number;
  readonly transactions: number;
}

const none: Demand = { bytes: 0, transactions: 0 };

/** By what a backup holds and by its own budget; nothing where that is 0 or it can't be loaded. */
export function demandOf({ loaded }: FoundConfig, held: Count | undefined): Demand {
  const own = loaded?.backup.verify.budget ?? Infinity;
  if (loaded === undefined || held === undefined || held.files === 0 || own === 0) return none;
  return {
    bytes: Math.min(own, Math.max(held.bytes, 1)),
    transactions: held.files * transactionsPerFile,
  };
}

/** What the nightly verification reads of a backup in a day on which it runs. */
export interface Pace {
  readonly bytes: number;
  /** Less than one: one in several days. */
  readonly files: number;
}

/** The pace of each backup when all that want it have their fair share of the day. */
export function paces(total: Demand, demands: readonly Demand[]): Pace[] {
  const bytes = divide(
    total.bytes,
    demands.map((demand) => demand.bytes),
  );
  if (total.transactions === Infinity)
    return bytes.map((some) => ({ bytes: some, files: Infinity }));
  const requests = divide(
    total.transactions,
    demands.map((demand) => demand.transactions),
  );
  const wanting = demands.filter(({ transactions }) => transactions > 0).length;
  return bytes.map((some, at) => {
    const share = requests[at] ?? 0;
    // Not enough for all: they take turns.
    const inTurn = total.transactions / transactionsPerFile / Math.max(wanting, 1);
    const whole = Math.floor(share / transactionsPerFile);
    return { bytes: some, files: whole > 0 ? whole : Math.min(inTurn, 1) };
  });
}

/**
 * The given configurations and all others that are configured, which share the day's budget with them;
 * without the others where they can't be looked for.
 */
export async function withAllConfigured(
  configs: readonly FoundConfig[],
  options: LoadOptions,
): Promise<readonly FoundConfig[]> {
  try {
    const given = new Set(configs.map(({ file }) => file));
    const { configs: all } = await loadAll([], options);
    return [...configs, ...all.filter(({ file }) => !given.has(file))];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return configs;
  }
}

/** Scheduled times that are looked at: more than a week of days. */
const looked = 8;
const dayMs = 86_400_000;

/**
 * On how many days of one a backup runs: 1 without a schedule or with one that names every day, a seventh
 * for once a week.
 */
export function runsPerDay(next: ((after: Date) => Date) | undefined, now: Date): number {
  if (next === undefined) return 1;
  const first = next(now);
  let last = first;
  for (let time = 0; time < looked - 1; time += 1) last = next(last);
  // An hour more or less is the clocks being changed.
  const days = Math.round((last.getTime() - first.getTime()) / dayMs);
  return Math.min((looked - 1) / days, 1);
}
