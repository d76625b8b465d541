import type { Listed } from "../../documents/metadata.ts";
import type { ReadMode } from "../../documents/rules.ts";
import type { Server } from "../../documents/server.ts";

/** A collection or view that is exported. */
export interface PlannedCollection {
  readonly server: Server;
  readonly database: string;
  readonly listed: Listed;
  readonly mode: ReadMode;
}

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
