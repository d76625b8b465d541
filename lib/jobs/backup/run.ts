import type { Change } from "../../manifest/changes.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { BackupRecord } from "../../state/record.ts";
import type { HistoryRun } from "../../stores/dir/runs.ts";
import type { ListContext } from "../../stores/dir/listplace.ts";
import type { SetAside } from "../../stores/dir/setaside.ts";
import type { HistoryPlace } from "../history.ts";
import type { Session } from "../session.ts";
import type { StateFiles } from "../statefiles.ts";

export interface BackupOptions {
  /** Plans and shows, and changes nothing: neither hooks nor the archive nor rclone run for real. */
  readonly dryRun: boolean;
  /** The id of a refused plan that may be carried out this once. */
  readonly allowRefusedPlan: string | undefined;
  /** Goes on though the clock stands before the newest run of the history. */
  readonly allowClock?: boolean | undefined;
  /** Words of the command line that shape the plan; a hint on how to allow it repeats them. */
  readonly repeat?: readonly string[] | undefined;
  /** Called once nothing skips the run any more: its conditions hold, and pre_command has not said skip. */
  readonly onBegun?: (() => void) | undefined;
  /** Gets every change of a dry run's plan. */
  readonly onPlan?: ((changes: Pages<Change>) => Promise<void>) | undefined;
}

/** The dated directories as a run found them, and what it did there so far. */
export interface RunHistory extends HistoryPlace {
  /** Of earlier runs, by number. */
  runs: readonly HistoryRun[];
  /** Somebody changed the destination of whom the record does not know. */
  surprising: boolean;
  setAside: SetAside;
  intent: boolean;
}

/** One run under its lock: what every step of it knows. */
export interface Run {
  /** rclone in it holds the lock's descriptor. */
  readonly session: Session;
  readonly options: BackupOptions;
  readonly files: StateFiles;
  /** As it was before this run; undefined on the first. */
  readonly record: BackupRecord | undefined;
  /** Files that the last run left at the destination, as far as anything tells. */
  readonly heldBefore: number;
  /** As it is written at the moment. */
  kept: BackupRecord;
  /** What its history holds; undefined where the run keeps none. Look at it before relying on the id. */
  readonly history: RunHistory | undefined;
  id: string;
  number: number;
  readonly startedAt: Date;
  readonly scratch: string;
  /** Collects warnings; they are told at once and stand in the result. */
  readonly warnings: string[];
  /** Standing warnings: told in the first run that has them, afterwards kept in the status only. */
  readonly told: string[];
}

/** Tells a warning and keeps it for the result. */
export function warn(run: Run, text: string): void {
  run.warnings.push(text);
  run.session.world.events.warn(text);
}

/** What it takes to list a place as this run sees it. */
export function listContext({ session, scratch }: Run): ListContext {
  const { rclone, features, tuning, world } = session;
  return { rclone, features, tuning, scratch, signal: world.signal };
}
