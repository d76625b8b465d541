import type { FoundConfig } from "../../config/all.ts";
import { dayIn, type Wanting } from "../../suite/budget.ts";
import type { Count } from "../../units/count.ts";
import { demandOf } from "../status/demand.ts";
import type { NightBackup } from "./night.ts";
import type { Purse } from "./purse.ts";

/** A backup that shares the day's budget with the others. */
export interface Sharer {
  readonly config: FoundConfig;
  /** What it holds and nobody has read back tonight. */
  readonly rest: Count;
  readonly turn: Wanting["turn"];
}

/** When `run` tried a backup, and whether that was skipped. */
export interface LastTry {
  readonly at: Date;
  readonly skipped: boolean;
}

/** In milliseconds. A backup that was not tried for longer is not tried every day. */
const comesDaily = 2 * 86_400_000;

interface Turns {
  /** How the backups of this run ended, by the files of their configurations. */
  readonly backups: ReadonlyMap<string, Pick<NightBackup, "outcome">>;
  /** Only backups with a schedule are run. */
  readonly due: boolean;
  readonly lastTry: (config: FoundConfig) => LastTry | undefined;
  readonly nextTime: (
    schedule: { readonly cron: string; readonly timeZone: string | undefined },
    after: Date,
  ) => Date;
  /** The zone in which the provider counts days. */
  readonly verifyDay: string;
  readonly now: Date;
}

/**
 * Whose turn it is: now for those that went well in this run; later for those that may still come today, so
 * that their share is kept for them. A backup whose sync went wrong is not read back: what is there is not
 * what should be.
 */
export function turnOf(
  config: FoundConfig,
  purse: Pick<Purse, "day" | "lastDay">,
  { backups, due, lastTry, nextTime, verifyDay, now }: Turns,
): Sharer["turn"] {
  const { file, loaded } = config;
  const outcome = backups.get(file)?.outcome;
  if (outcome === "done" || outcome === "partial") return "now";
  if (outcome !== undefined && outcome !== "skipped") return "done";
  if (loaded === undefined || purse.lastDay(file) === purse.day) return "done";
  if (outcome === "skipped") return "later";
  const { cron, timeZone } = loaded.backup.schedule;
  if (cron === undefined) {
    if (!due) return "later";
    const tried = lastTry(config);
    // Perhaps nothing ever runs it: then its share is for the others.
    if (tried === undefined || Math.abs(now.getTime() - tried.at.getTime()) > comesDaily)
      return "done";
    return tried.skipped || dayIn(verifyDay, tried.at) !== purse.day ? "later" : "done";
  }
  return dayIn(verifyDay, nextTime({ cron, timeZone }, now)) === purse.day ? "later" : "done";
}

/** What it wants of the bytes of a day; its own budget is for the day too. */
export function wantedBytes({ config, rest, turn }: Sharer, purse: Purse): Wanting {
  const { bytes: spent } = purse.spentOn(config.file);
  const own = config.loaded?.backup.verify.budget ?? Infinity;
  const { bytes } = demandOf(config, rest);
  const demand = bytes === 0 ? 0 : Math.min(own, spent + bytes);
  return { demand, spent, turn, lastDay: purse.lastDay(config.file) };
}

/** What it wants of the requests of a day. */
export function wantedRequests({ config, rest, turn }: Sharer, purse: Purse): Wanting {
  const { transactions: spent } = purse.spentOn(config.file);
  const { transactions } = demandOf(config, rest);
  const demand = transactions === 0 ? 0 : spent + transactions;
  return { demand, spent, turn, lastDay: purse.lastDay(config.file) };
}
