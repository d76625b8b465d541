import type { FoundConfig } from "../../config/all.ts";
import type { NightOptions } from "./night.ts";

/** When a backup was last started by anybody, as far as is known. */
export type LastStart = (config: FoundConfig) => Date | undefined;

/** lib/schedule/times.ts, which is loaded where a schedule is. */
export interface Times {
  readonly dueTime: (
    schedule: { readonly cron: string; readonly timeZone: string | undefined },
    lastStart: Date | undefined,
    now: Date,
  ) => Date | undefined;
  readonly lastTime: (
    schedule: { readonly cron: string; readonly timeZone: string | undefined },
    atOrBefore: Date,
  ) => Date;
}

export interface Chosen {
  readonly wanted: readonly FoundConfig[];
  readonly notDue: readonly FoundConfig[];
}

/**
 * Which of the backups run now: those that were named, else those without a schedule and those whose time
 * has come. What can't be loaded is among them, so that it is told.
 */
export function chooseDue(
  configs: readonly FoundConfig[],
  { names, all, due }: Pick<NightOptions, "names" | "all" | "due">,
  { dueTime }: Times,
  lastStart: LastStart,
  now: Date,
): Chosen {
  const isWanted = (config: FoundConfig): boolean => {
    const { loaded } = config;
    if (loaded === undefined || all || (names.length > 0 && !due)) return true;
    const { cron, timeZone } = loaded.backup.schedule;
    if (cron === undefined) return !due;
    return dueTime({ cron, timeZone }, lastStart(config), now) !== undefined;
  };
  const wanted = configs.filter(isWanted);
  return { wanted, notDue: configs.filter((config) => !wanted.includes(config)) };
}

/** The scheduled time that a backup runs for, RFC 3339; undefined: it has no schedule. */
export function scheduledTime(
  { loaded }: FoundConfig,
  { lastTime }: Pick<Times, "lastTime">,
  now: Date,
): string | undefined {
  const { cron, timeZone } = loaded?.backup.schedule ?? {};
  return cron === undefined ? undefined : lastTime({ cron, timeZone }, now).toISOString();
}

/** More lines than these are more than the words of a skipped run. */
const mostHeld = 20;

/**
 * Holds back the lines of a backup until it is known whether they tell anything new: those of a run that is
 * skipped for the same reason every quarter of an hour don't.
 */
export function holding(onLine: NightOptions["onLine"]): {
  readonly onLine: NightOptions["onLine"];
  readonly release: () => void;
} {
  let held: Parameters<typeof onLine>[] | undefined = [];
  const release = (): void => {
    const lines = held ?? [];
    held = undefined;
    for (const line of lines) onLine(...line);
  };
  return {
    onLine: (...line) => {
      if (held === undefined) return onLine(...line);
      held.push(line);
      if (held.length > mostHeld) release();
    },
    release,
  };
}
