import { failed } from "../errors.ts";
import { merge, type Pages } from "../manifest/pages.ts";
import type { Count } from "../units/count.ts";
import { asGoWrites, type RawPath } from "../units/rawpath.ts";

/** A file that was to be compared. */
export interface Chosen {
  readonly path: RawPath;
  readonly size: number;
}

/** A file that was chosen and not found equal. */
export interface CheckFinding {
  readonly path: RawPath;
  readonly size: number;
  /**
   * damaged: stored content that can't be decrypted · unanswered: rclone said nothing of it ·
   * unhashed: hashes were asked for, and the store has none of this file.
   */
  readonly kind: "differs" | "missing" | "damaged" | "error" | "unanswered" | "unhashed";
  /** rclone's words, where it had any. */
  readonly reason: string | undefined;
}

export interface CheckVerdict {
  /** Files that were found equal. */
  readonly verified: Count;
  readonly chosen: Count;
  readonly findings: readonly CheckFinding[];
}

/** One line of rclone's: a sign and a path. */
export interface Answer {
  readonly path: RawPath;
  readonly sign: string;
}

/** More differences than this are no list for a reader: something as a whole is wrong. */
const mostFindings = 100_000;
/** Sets what was chosen against what was answered. */
export async function judgeAnswers(
  chosen: Pages<Chosen>,
  answers: Pages<Answer>,
  told: {
    readonly reasons: ReadonlyMap<string, string>;
    /** Files that were answered for though no hash of them was compared. */
    readonly unhashed: ReadonlySet<string>;
    /** Why there may be files without an answer. */
    readonly unanswered: string | undefined;
  },
): Promise<CheckVerdict> {
  const verified = { files: 0, bytes: 0 };
  const all = { files: 0, bytes: 0 };
  const findings: CheckFinding[] = [];
  for await (const page of merge(chosen, answers)) {
    for (const [wanted, answer] of page) {
      // Not chosen: it came after the listing.
      if (wanted === undefined) continue;
      all.files += 1;
      all.bytes += Math.max(wanted.size, 0);
      const finding = judgeOne(wanted, answer, told);
      if (finding === undefined) {
        verified.files += 1;
        verified.bytes += Math.max(wanted.size, 0);
        continue;
      }
      findings.push(finding);
      if (findings.length > mostFindings)
        throw failed(
          `verify: expected few differences, found more than ${mostFindings} and stopped counting`,
          { hint: "is the destination the right one, and the password of its remote?" },
        );
    }
  }
  return { verified, chosen: all, findings };
}

/** Undefined where the file was found equal. */
function judgeOne(
  { path, size }: Chosen,
  answer: Answer | undefined,
  told: Parameters<typeof judgeAnswers>[2],
): CheckFinding | undefined {
  if (answer === undefined) return { path, size, kind: "unanswered", reason: told.unanswered };
  if (answer.sign === "=") {
    const compared = told.unhashed.size === 0 || !told.unhashed.has(asGoWrites(path));
    return compared ? undefined : { path, size, kind: "unhashed", reason: undefined };
  }
  const reason = told.reasons.get(asGoWrites(path));
  return { path, size, kind: kindOf(answer.sign, reason), reason };
}

/**
 * Words of rclone's crypt for content that is not what it wrote. Of a last block that is damaged,
 * 1.60 says `unexpected EOF`; a connection that broke says so too, but hardly at a second look.
 */
const damage =
  /bad magic|authenticate decrypted block|not an encrypted file|too short|truncated|trailing data|unexpected EOF/i;

/** Whether rclone's words say that stored content can't be decrypted. */
export function isDamage(reason: string | undefined): boolean {
  return reason !== undefined && damage.test(reason);
}

function kindOf(sign: string, reason: string | undefined): CheckFinding["kind"] {
  switch (sign) {
    case "*":
      return "differs";
    case "+":
      return "missing";
    case "!":
      return isDamage(reason) ? "damaged" : "error";
    default:
      return "unanswered";
  }
}
