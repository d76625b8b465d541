import type { Amount, SizeTree } from "./tree.ts";

/** Which versions are added up: the current ones, superseded and deleted ones, or all. */
export type Of = "current" | "deleted" | "all";

export interface Choice {
  readonly of: Of;
  /** How deep below the top; undefined for all. */
  readonly maxDepth: number | undefined;
  /** What has fewer bytes is left out. */
  readonly minSize: number;
}

/** The amount of a node in the versions that are asked for. */
export function amountOf(tree: SizeTree, node: number, of: Of): Amount {
  if (of !== "all") return tree.amount(node, of === "current" ? "current" : "old");
  const [current, old] = [tree.amount(node, "current"), tree.amount(node, "old")];
  return { bytes: current.bytes + old.bytes, files: current.files + old.files };
}

/** As amountOf, the bytes alone. */
export function bytesOf(tree: SizeTree, node: number, of: Of): number {
  if (of === "all") return tree.bytes(node, "current") + tree.bytes(node, "old");
  return tree.bytes(node, of === "current" ? "current" : "old");
}

/**
 * The nodes to tell of a totalled tree, largest last; of equal ones a directory comes after what is
 * in it, so that the top is the last of all. Where nothing of what is asked for is below a node, it
 * is left out, the top aside.
 */
export function chooseNodes(tree: SizeTree, { of, maxDepth, minSize }: Choice): Uint32Array {
  const sizes = new Float64Array(tree.length);
  // A node's directory has a smaller number, so its depth is known already.
  const depths = new Uint32Array(maxDepth === undefined ? 0 : tree.length);
  const chosen = new Uint32Array(tree.length);
  let count = 0;
  for (let node = 0; node < tree.length; node += 1) {
    sizes[node] = bytesOf(tree, node, of);
    if (maxDepth !== undefined && node > 0) {
      depths[node] = (depths[tree.parent(node)] ?? 0) + 1;
      if ((depths[node] ?? 0) > maxDepth) continue;
    }
    const isThere = node === 0 || (sizes[node] ?? 0) > 0 || amountOf(tree, node, of).files > 0;
    if (isThere && ((sizes[node] ?? 0) >= minSize || node === 0)) chosen[count++] = node;
  }
  return chosen.subarray(0, count).toSorted((a, b) => (sizes[a] ?? 0) - (sizes[b] ?? 0) || b - a);
}
