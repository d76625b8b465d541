// Backups as they might be found, without any files.
import { chainsOf } from "../../lib/physical/chains.ts";
import type { Backup } from "../../lib/physical/look.ts";
import { backupName } from "../../lib/physical/names.ts";
import { planRotation, type RotationPlan, type RotationRules } from "../../lib/physical/plan.ts";

export const day = 86_400_000;
export const start = Date.UTC(2026, 0, 1, 3);
const program = "10.11.6";

/** What a run at a time does to the backups that are there: the plan, and what is there afterwards. */
export function nightOf(
  backups: readonly Backup[],
  at: number,
  rules: RotationRules,
  wishes: { readonly full?: string; readonly program?: string; readonly fails?: boolean } = {},
): { readonly plan: RotationPlan; readonly after: readonly Backup[] } {
  const version = wishes.program ?? program;
  const plan = planRotation(chainsOf(backups), rules, { full: wishes.full, program: version });
  if (wishes.fails === true) return { plan, after: backups };
  const gone = new Set(plan.remove.flatMap(({ chain }) => chain.backups));
  const made = next(backups, plan, at, version);
  return { plan, after: [...backups.filter((backup) => !gone.has(backup)), made] };
}

function next(
  backups: readonly Backup[],
  { make }: RotationPlan,
  at: number,
  version: string,
): Backup {
  const base = make.kind === "incremental" ? make.base : undefined;
  const name = backupName(
    make.kind,
    new Date(at),
    backups.map((each) => each.name),
  );
  const number = (backups.at(-1)?.number ?? 0) + 1;
  const time = new Date(at).toISOString();
  return {
    ...{ version: 1, name, number, kind: make.kind },
    ...{ chain: base?.chain ?? name, base: base?.name ?? null },
    ...{ started_at: time, finished_at: time, tested_at: time },
    ...{ program: version, server: "1", broken: null, files: [], bytes: 1, damage: undefined },
    ...{ from_lsn: base?.to_lsn ?? "0", to_lsn: String(number * 1000) },
  };
}

/** The backups that so many nights leave, one a day. */
export function nights(count: number, rules: RotationRules): readonly Backup[] {
  let backups: readonly Backup[] = [];
  for (let night = 0; night < count; night += 1)
    backups = nightOf(backups, start + night * day, rules).after;
  return backups;
}
