import { failed, usage } from "../errors.ts";
import { parsePastMoment } from "../units/moment.ts";
import { restorable, type Chain } from "./chains.ts";
import type { Backup } from "./look.ts";
import { stampOf } from "./names.ts";

/**
 * The backups to put together, the full one first, for the state at a time, or as of a backup that is
 * named. Of those that were finished by then it is the one with the greatest number. Throws usage for
 * what is neither, failed where there is none, or where it can't be restored: never an older one instead.
 */
export function chooseSteps(chains: readonly Chain[], at: string, now: Date): readonly Backup[] {
  const all = chains.flatMap(({ backups }) => backups).toSorted((a, b) => a.number - b.number);
  const [first] = all;
  if (first === undefined) throw failed("expected backups, found none");
  const named = all.find(({ name }) => name === at || stampOf(name) === at);
  const wanted = named ?? finishedBy(all, parsePastMoment(at, { now, timeZone: "UTC" }));
  if (wanted === undefined)
    throw usage(
      `expected a time since the first backup was finished, ${first.finished_at}, found ${at}`,
    );
  const sound = chains.map(restorable);
  const steps = sound.find((backups) => backups.includes(wanted));
  if (steps !== undefined) return steps.slice(0, steps.indexOf(wanted) + 1);
  const problem = chains
    .find(({ backups }) => backups.includes(wanted))
    ?.problems.find(({ isCertain }) => isCertain);
  const older = sound.flat().filter(({ number }) => number < wanted.number);
  const next = older.toSorted((a, b) => a.number - b.number).at(-1);
  throw failed(
    `expected that ${wanted.name} can be restored, found ${problem?.backup.name ?? wanted.chain} broken: ${problem?.reason ?? "unknown"}`,
    {
      hint:
        next === undefined
          ? "no older one can be restored"
          : `the newest older one that can be restored is ${next.name}`,
    },
  );
}

function finishedBy(backups: readonly Backup[], time: Date): Backup | undefined {
  return backups.findLast(({ finished_at: end }) => Date.parse(end) <= time.getTime());
}
