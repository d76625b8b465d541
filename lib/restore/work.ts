import type { Tuning } from "../rclone/argv.ts";
import type { Features } from "../rclone/program.ts";
import type { Rclone } from "../rclone/run.ts";
import type { Events } from "../units/events.ts";
import type { BulkSource } from "./bulk.ts";
import type { Content } from "./content.ts";
import type { PlannedFile } from "./plan.ts";
import type { PlanSpool } from "./spool.ts";
import type { Tally } from "./tally.ts";

/** What every step of a restore needs. */
export interface RestoreWork {
  readonly rclone: Rclone;
  readonly features: Features;
  readonly tuning: Tuning;
  readonly content: Content;
  readonly plan: PlanSpool;
  readonly tally: Tally;
  /** Where rclone can copy a version from; undefined where it has to be fetched by its id. */
  readonly bulk: (planned: PlannedFile) => BulkSource | undefined;
  /** Whether a bulk copy holds content against the provider's checksum, for a version that has one. */
  readonly bulkChecks: boolean;
  /** Whether the plan has all that its bulk sources show: then nothing has to be picked out. */
  readonly whole: boolean;
  readonly overwrite: boolean;
  /** A directory of this run's own, for lists. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly events: Events;
}
