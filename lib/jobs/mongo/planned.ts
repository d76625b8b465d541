import type { Server } from "../../documents/server.ts";
import type { PlannedCollection } from "./collection.ts";

/** What is not in the export, and why. */
export interface NotExported {
  readonly database: string;
  readonly collection: string;
  readonly reason: string;
}

/** A database that is exported, and what of it. */
export interface PlannedDatabase {
  readonly name: string;
  readonly server: Server;
  readonly collections: readonly PlannedCollection[];
  readonly missing: readonly NotExported[];
  readonly excluded: number;
}
