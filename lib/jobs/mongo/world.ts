import type { Events } from "../../units/events.ts";

/** What an export or import may use of this process. */
export interface MongoWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly events: Events;
}
