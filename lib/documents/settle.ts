import type { KeptDocuments } from "./kept.ts";
import { syncFiles } from "./sync.ts";

/**
 * Syncs what was written for these collections, and remembers it. Until that is done, the mark of each says that its
 * state is not to be believed. Throws failed().
 */
export async function settle(root: string, collections: readonly KeptDocuments[]): Promise<void> {
  const unsettled = collections.filter((each) => each.isUnsettled);
  if (unsettled.length === 0) return;
  // A database can be a file system of its own.
  await syncFiles([root, ...unsettled.map(({ directory }) => directory)]);
  for (const each of unsettled) await each.remember();
  await syncFiles([root]);
  for (const each of unsettled) await each.trust();
}
