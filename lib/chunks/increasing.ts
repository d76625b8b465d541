export interface Weighed {
  /** Where it stood before; undefined for what is new. No two are equal. */
  readonly position: number | undefined;
  readonly weight: number;
}

/**
 * Which of these keep their order, so that as much weight as possible does: the indexes of a heaviest
 * subsequence whose positions increase. What is new is in none.
 */
export function heaviestIncreasing(items: readonly Weighed[]): ReadonlySet<number> {
  const best: { at: number; total: number; before: number }[] = [];
  const positions = items
    .flatMap(({ position }) => position ?? [])
    .toSorted((one, other) => one - other);
  const rank = new Map(positions.map((position, at) => [position, at + 1]));
  // A Fenwick tree: each node holds the heaviest subsequence that ends in its range of positions.
  const tree = new Int32Array(positions.length + 1).fill(-1);
  const totalOf = (at: number): number => (at < 0 ? 0 : (best[at]?.total ?? 0));
  let heaviest = -1;
  for (const [at, { position, weight }] of items.entries()) {
    const own = position === undefined ? undefined : rank.get(position);
    if (own === undefined) continue;
    let before = -1;
    for (let node = own - 1; node > 0; node -= node & -node) {
      const candidate = tree[node] ?? -1;
      if (totalOf(candidate) > totalOf(before)) before = candidate;
    }
    const last = best.push({ at, total: totalOf(before) + weight, before }) - 1;
    for (let node = own; node < tree.length; node += node & -node)
      if (totalOf(tree[node] ?? -1) < totalOf(last)) tree[node] = last;
    if (totalOf(heaviest) < totalOf(last)) heaviest = last;
  }
  const kept = new Set<number>();
  for (let each = best[heaviest]; each !== undefined; each = best[each.before]) kept.add(each.at);
  return kept;
}
