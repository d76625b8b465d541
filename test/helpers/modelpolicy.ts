// Which versions a policy keeps, counted window by window from its words.
import type { Model, ModelVersion } from "./model.ts";

const day = 86_400_000;

/**
 * The ends of the windows of a list of days, in days and up to `most`. `forgives` says whether the
 * windows of a ? after a number hold.
 */
function windowEnds(text: string, most: number, forgives: (days: number) => boolean): number[] {
  const words = text.split(" ").filter((word) => word !== "");
  const ends: number[] = [];
  for (const [at, word] of words.entries()) {
    if (word === "*" || word === "?") continue;
    const days = Number(word);
    ends.push(days);
    const mark = words[at + 1];
    if (mark !== "*" && !(mark === "?" && forgives(days))) continue;
    const next = Number(words.slice(at + 2).find((later) => /^\d/.test(later)) ?? Infinity);
    for (let end = 2 * days; end < Math.min(next, most + 2 * days); end += days) ends.push(end);
  }
  return ends;
}

/**
 * When those versions of a path began that a prune at a time leaves, of what is there and by their
 * true ends: the newest and the oldest in each window, and the current version.
 */
export function keptBy(text: string, model: Model, path: string, now: number): ReadonlySet<number> {
  const versions = model.kept(path);
  const must = new Set<number>();
  const deletedAt = model.deletedAt(path);
  const forgives = (days: number): boolean =>
    deletedAt === undefined || now - deletedAt < days * day;
  const age = ({ until }: ModelVersion): number => (now - (until ?? now)) / day;
  const oldest = Math.max(0, ...versions.map(age));
  const judged: ModelVersion[] = [];
  for (const version of versions) {
    if (version.until === undefined || text === "forever") must.add(version.from);
    else judged.push(version);
  }
  if (text === "none" || text === "forever") return must;
  let start = 0;
  for (const end of windowEnds(text, oldest, forgives)) {
    const inside = judged.filter((version) => {
      const days = age(version);
      return (days > start || (start === 0 && days === 0)) && days <= end;
    });
    start = end;
    // Oldest first, as they ended.
    const [first] = inside;
    const newest = inside.at(-1);
    if (first === undefined || newest === undefined) continue;
    must.add(first.from);
    must.add(newest.from);
  }
  return must;
}
