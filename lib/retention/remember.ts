import type { FileHistory } from "../history/history.ts";
import type { StoredVersion } from "../stores/store.ts";
import { endOf, type Ends } from "./ends.ts";
import type { Decision } from "./plan.ts";

/**
 * The ends that the store does not tell, or will not while and after these decisions (of plan() or
 * purge(), the oldest first) are carried out: those of versions whose successors go.
 */
export function endsToRemember(
  { versions, entries, foreign }: FileHistory,
  decisions: readonly Decision[],
  remembered: Ends | undefined,
): Ends {
  // Nothing of such a file goes.
  if (foreign > 0) return remembered ?? new Map<string, number>();
  const ends = new Map<string, number>();
  let next = 0;
  let keptNewer: StoredVersion | undefined;
  for (const [index, entry] of entries.entries()) {
    const kept = decisions[entries.length - 1 - index]?.action !== "remove";
    const version = entry.kind === "file" ? versions[next++] : undefined;
    const end = version && endOf(version, remembered);
    if (version !== undefined && end !== undefined && end !== entry.endedAt) {
      // What goes may be there for long, if something older can't be removed.
      const told = kept ? Math.max(keptNewer?.storedAt ?? Infinity, version.from) : version.until;
      if (end !== told) ends.set(entry.id, end);
    }
    if (kept) keptNewer = entry;
  }
  return ends;
}
