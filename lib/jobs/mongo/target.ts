import type { Listed } from "../../documents/metadata.ts";
import type { Server } from "../../documents/server.ts";
import type { StoredCollection } from "../../documents/stored.ts";

/** A collection of an export, and where it goes. */
export interface Target {
  readonly stored: StoredCollection;
  readonly server: Server;
  readonly database: string;
  /** What the server has of that name. */
  readonly listed: Listed | undefined;
}
