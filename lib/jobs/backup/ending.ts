import type { Pruned } from "../result.ts";
import type { Survey } from "./survey.ts";
import type { Synced } from "./synced.ts";

/** What is known of a run by the time it ends, however it ends. */
export interface Ending {
  seen: Survey | undefined;
  synced: Synced | undefined;
  mended: number;
  pruned: Pruned | undefined;
}
