import type { Outcome } from "../../errors.ts";
import type { Attempt, VerificationRecord } from "../../suite/record.ts";
import type { Coverage } from "../../verify/coverage.ts";

/** A verification by `rclone-backups run` that was not done, or not of all it should have been. */
export interface Unverified extends VerificationRecord {
  readonly kind: "next" | "hash";
}

/** Which verifications there are to be. */
export type Wanted = Readonly<Record<Unverified["kind"], boolean>>;

/**
 * Whether a verification that ended so has not proved what it should have. What was found different is
 * remembered as such, and one that another run or a signal kept from being done is none.
 */
export function isUndone(outcome: Outcome): boolean {
  return outcome === "failed" || outcome === "partial" || outcome === "usage";
}

/**
 * The verifications that failed and that no later one makes up for, by the night or by hand. Those that are
 * not wanted any more are none: nothing would ever end them.
 */
export function unverifiedOf(
  { verified }: Pick<Attempt, "verified">,
  coverage: Pick<Coverage, "complete"> | undefined,
  wanted: Wanted,
): Unverified[] {
  const { next, hash } = verified ?? {};
  const { content: readAt, hash: hashedAt } = coverage?.complete ?? {};
  return [
    ...openOf("next", wanted.next ? next : undefined, readAt),
    ...openOf("hash", wanted.hash ? hash : undefined, hashedAt),
  ];
}

function openOf(
  kind: Unverified["kind"],
  last: VerificationRecord | undefined,
  provedAt: string | undefined,
): Unverified[] {
  if (last === undefined || !isUndone(last.outcome)) return [];
  const isProved = provedAt !== undefined && Date.parse(provedAt) > Date.parse(last.at);
  return isProved ? [] : [{ kind, ...last }];
}
