import * as v from "valibot";
import { exitCodes, type Outcome } from "../errors.ts";
import { readJson, writeJson } from "../state/jsonfile.ts";

const names = Object.keys(exitCodes);
const outcome = v.custom<Outcome>((value) => typeof value === "string" && names.includes(value));

const verificationSchema = v.object({
  /** When it ended; RFC 3339, UTC. */
  at: v.string(),
  outcome,
  message: v.optional(v.string()),
});

const attemptSchema = v.object({
  name: v.string(),
  /** When it was tried first; what was never good is overdue from then on. All times are RFC 3339, UTC. */
  firstAt: v.optional(v.string()),
  /** When it was due and tried last. */
  attemptedAt: v.string(),
  /** When its last run began that was neither skipped nor interrupted. */
  startedAt: v.optional(v.string()),
  outcome,
  message: v.optional(v.string()),
  /**
   * The last verifications that were neither skipped nor interrupted: the one by the ledger (next) and the one
   * of all checksums (hash). A later run of the backup says nothing of them.
   */
  verified: v.optional(
    v.object({ next: v.optional(verificationSchema), hash: v.optional(verificationSchema) }),
  ),
  /** Runs in a row that were skipped; several tries for one scheduled time are one. */
  skippedRuns: v.number(),
  /** The scheduled time of the last one that was counted; without a schedule, its own. */
  skippedFor: v.optional(v.string()),
});

const suiteSchema = v.object({
  version: v.literal(1),
  /** By the absolute path of the configuration. */
  backups: v.record(v.string(), attemptSchema),
  /** The last `rclone-backups run`. */
  run: v.optional(v.object({ startedAt: v.string(), finishedAt: v.string(), outcome })),
});

/** What `rclone-backups run` remembers of one backup. */
export type Attempt = v.InferOutput<typeof attemptSchema>;
/** What it remembers of a verification. */
export type VerificationRecord = v.InferOutput<typeof verificationSchema>;
/** What it remembers of all of them: suite.json. */
export type SuiteRecord = v.InferOutput<typeof suiteSchema>;

export interface ReadSuite {
  /** Empty where the file is missing or damaged. */
  readonly suite: SuiteRecord;
  /** Where a damaged file is now: set aside, or still in its place. */
  readonly damaged: string | undefined;
}

/**
 * Reads suite.json. A damaged file is told, and set aside if the caller may change anything. Throws
 * when it exists and can't be read.
 */
export async function readSuite(
  file: string,
  options: { readonly setAside: boolean },
): Promise<ReadSuite> {
  const { value, damaged } = await readJson(file, suiteSchema, options);
  return { suite: value ?? { version: 1, backups: {} }, damaged };
}

/** Writes suite.json: a temporary name, synced, renamed. Throws failed(). */
export async function writeSuite(file: string, suite: SuiteRecord): Promise<void> {
  await writeJson(file, suite);
}
