import type { ScheduleSettings } from "../../config/backup.ts";
import { formatSpan } from "../../units/format.ts";
import { warning, type Finding } from "./finding.ts";

const day = 86_400;
const often = 15 * 60;
const rarely = 32 * day;

/** Whether the schedule is one that somebody may have meant. Times that no day has are errors at loading. */
export async function checkSchedule(
  { cron, timeZone }: ScheduleSettings,
  now: Date,
): Promise<Finding[]> {
  if (cron === undefined) return [];
  const { nextTime } = await import("../../schedule/times.ts");
  const schedule = { cron, timeZone };
  const times = [now];
  for (let at = 0; at < 4; at += 1) times.push(nextTime(schedule, times.at(-1) ?? now));
  const gaps = times
    .slice(2)
    .map((time, at) => (time.getTime() - (times[at + 1]?.getTime() ?? 0)) / 1000);
  const shortest = Math.min(...gaps);
  const longest = Math.max(...gaps, ((times[1]?.getTime() ?? 0) - now.getTime()) / 1000);
  if (shortest < often)
    return [
      warning(
        "schedule",
        `schedule.cron: expected a quarter of an hour and more between runs, found ${formatSpan(shortest)} (${cron})`,
        "minute comes first: 30 3 * * * is every night at half past three",
      ),
    ];
  if (longest <= rarely) return [];
  return [
    warning(
      "schedule",
      `schedule.cron: expected a run each month at least, found ${formatSpan(longest)} without one (${cron})`,
      "what is lost between two runs is in no backup; the next is at ".concat(
        times[1]?.toISOString() ?? "",
      ),
    ),
  ];
}
