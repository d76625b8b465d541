import type { Chain } from "./chains.ts";
import type { Backup } from "./look.ts";

export interface RotationRules {
  /** The most incremental backups of one full backup. */
  readonly incrementals: number;
  /** How many whole chains stay. */
  readonly fulls: number;
}

export interface RotationWishes {
  /** Why it has to be a full one, where somebody or something wants that. */
  readonly full: string | undefined;
  /** Version of the program that will make it. */
  readonly program: string;
}

/** What to make, and why. */
export type Making =
  | { readonly kind: "full"; readonly reason: string }
  | {
      readonly kind: "incremental";
      readonly on: Chain;
      readonly base: Backup;
      readonly reason: string;
    };

/** A chain to remove when the new backup is good. */
export interface Removal {
  readonly chain: Chain;
  readonly reason: string;
}

export interface RotationPlan {
  readonly make: Making;
  readonly remove: readonly Removal[];
}

/**
 * What a run does, of the chains that are there, in their order. Chains are counted, not aged, so no
 * clock decides what goes: the newest whole chains stay, the one of the new backup among them, and
 * all that come before go, if there are that many. One that has a problem doesn't count.
 */
export function planRotation(
  chains: readonly Chain[],
  rules: RotationRules,
  wishes: RotationWishes,
): RotationPlan {
  const make = whatToMake(chains, rules, wishes);
  const whole = chains.filter(({ problems }) => problems.length === 0);
  // A new full backup is one more.
  const older = make.kind === "full" ? rules.fulls - 1 : rules.fulls;
  if (whole.length < older) return { make, remove: [] };
  const oldest = older === 0 ? undefined : whole.at(-older);
  const gone = oldest === undefined ? chains : chains.slice(0, chains.indexOf(oldest));
  const reason = `${rules.fulls} newer full ${rules.fulls === 1 ? "backup is" : "backups are"} kept`;
  return { make, remove: gone.map((chain) => ({ chain, reason })) };
}

function whatToMake(
  chains: readonly Chain[],
  rules: RotationRules,
  wishes: RotationWishes,
): Making {
  const last = chains.at(-1);
  const base = last?.backups.at(-1);
  if (last === undefined || base === undefined) return full("there is no backup yet");
  if (wishes.full !== undefined) return full(wishes.full);
  const [problem] = last.problems;
  if (problem !== undefined)
    return full(`the chain ${last.name} is broken at ${problem.backup.name}: ${problem.reason}`);
  if (series(base.program) !== series(wishes.program))
    return full(`${base.name} was made by version ${base.program}, this is ${wishes.program}`);
  const made = last.backups.length - 1;
  if (made >= rules.incrementals)
    return full(`${last.name} has ${made} incremental ${made === 1 ? "backup" : "backups"}`);
  return {
    kind: "incremental",
    on: last,
    base,
    reason: `number ${made + 1} of ${rules.incrementals} on ${last.name}`,
  };
}

/** The part of a version within which backups of one can be prepared by another: `10.11`. */
export function series(version: string): string {
  return version.split(".", 2).join(".");
}

function full(reason: string): Making {
  return { kind: "full", reason };
}
