import { currentId } from "./dir/timeline.ts";
import type { StoredVersion } from "./store.ts";

/** What S3 calls the version that an upload without versioning writes, and the next such upload replaces. */
const withoutVersioning = "null";

/**
 * Whether what a store told of a version means this version for ever: a file that replaces it is told
 * otherwise. Ids that every current file has, one after the other, need what else is sure of it.
 */
export function isUnmistakable({
  id,
  storedAt,
  modifiedAt,
  uncertain,
  hash,
}: StoredVersion): boolean {
  if (id !== currentId && id !== withoutVersioning) return true;
  return hash !== undefined || (storedAt > 0 && uncertain !== true && modifiedAt !== undefined);
}
