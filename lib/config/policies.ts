import { suggest } from "../units/suggest.ts";
import type { Policy } from "../units/policy.ts";
import { builtInPolicies, neverHint, readPolicy } from "../units/policy.ts";
import type { RetentionLine } from "./backup.ts";
import type { Chain } from "./chain.ts";
import { allKeys } from "./definition.ts";
import type { PolicyOverride } from "./overrides.ts";
import type { RetentionEntry } from "./policyline.ts";
import type { Place, Problem } from "./problem.ts";
import { columnAt, didYouMean, placeText, quoted } from "./problem.ts";

/** A policy of the configuration, and where it is defined. */
export interface SettledPolicy {
  readonly policy: Policy;
  readonly text: string;
  /** `file:line`, `environment NAME` or `--set`. */
  readonly origin: string;
}

export interface SettledRetention {
  /** In the order in which they are defined, the child's before its parent's. */
  readonly policies: ReadonlyMap<string, SettledPolicy>;
  readonly lines: readonly RetentionLine[];
  readonly problems: readonly Problem[];
}

/**
 * Policies, of which the child's wins over its parent's and an override over both, and the lines
 * of [retention], the child's first. Only definitions that hold are complained of.
 */
export function settleRetention(
  chain: Chain,
  overrides: ReadonlyMap<string, PolicyOverride>,
): SettledRetention {
  const policies = new Map<string, SettledPolicy>();
  const problems: Problem[] = [];
  const names = new Set([
    ...chain.files.flatMap((file) => [...file.policies.keys()]),
    ...overrides.keys(),
  ]);
  for (const name of names) {
    const override = overrides.get(name);
    const line = chain.files.map((file) => file.policies.get(name)).find((each) => each);
    const text = override?.text ?? line?.text ?? "";
    const origin = override?.origin ?? (line && lineText(line.place)) ?? "";
    const read = readPolicy(text, name);
    if ("steps" in read) {
      policies.set(name, { policy: read, text: text.trim().replace(/\s+/g, " "), origin });
    } else {
      const where =
        override?.where ?? (line && placeText(shifted(line.valuePlace, text, read.index)));
      problems.push({ where: where ?? "", message: read.message, hint: read.hint });
    }
  }
  const known = new Set([...Object.keys(builtInPolicies), ...names]);
  const lines = chain.files.flatMap((file) =>
    file.retention.map((entry) => {
      if (!known.has(entry.policy)) problems.push(unknown(entry, [...known]));
      return { pattern: entry.pattern, policy: entry.policy, origin: lineText(entry.place) };
    }),
  );
  return { policies, lines, problems };
}

function unknown({ pattern, policy, policyPlace }: RetentionEntry, known: string[]): Problem {
  const where = placeText(policyPlace);
  const key = allKeys.find(({ name, kind }) => name === pattern && kind.secret === true);
  if (key !== undefined) {
    // What seems to be a policy is the secret.
    const message = `expected PATTERN = POLICY in [retention], found the key ${key.name}`;
    return { where, message, hint: `${key.name} belongs in [${key.section}]` };
  }
  return {
    where,
    message: `expected a known policy, found ${quoted(policy)}`,
    hint:
      policy === "never"
        ? neverHint
        : (didYouMean(suggest(policy, known)) ?? `known policies: ${known.join(", ")}`),
  };
}

function lineText({ file, line }: Place): string {
  return `${file}:${line}`;
}

function shifted(place: Place, text: string, index: number): Place {
  return { ...place, column: place.column + columnAt(text, index) - 1 };
}
