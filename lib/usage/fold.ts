import type { RawPath } from "../units/rawpath.ts";
import { bytesOf } from "./choose.ts";
import type { Amount, SizeTree } from "./tree.ts";

/** A directory or file of a picture; the top has no name. */
export interface Folded {
  readonly name: RawPath;
  readonly isFile: boolean;
  readonly current: Amount;
  readonly old: Amount;
  /** Largest first. */
  readonly children: readonly Folded[];
  /** What is in the directory and not among its children. */
  readonly more: Leftover;
}

export interface Leftover {
  /** Directories, and files where the tree has them, that were too small for the picture. */
  readonly nodes: number;
  readonly current: Amount;
  readonly old: Amount;
}

export interface FoldLimits {
  /** How many nodes the picture may have. */
  readonly nodes: number;
  /** How many bytes all their names may have. */
  readonly names: number;
  /** How deep the picture may go: what is deeper is part of the directory at that depth. */
  readonly depth: number;
}

/** A page of about 3 MB at most, which a browser opens without a pause. */
const pictureLimits: FoldLimits = { nodes: 20_000, names: 1_000_000, depth: 100 };

/**
 * A totalled tree with only its largest nodes, as many as the limits allow; what is left out is
 * counted in the directory that it is in, so that no byte is lost.
 */
export function foldTree(tree: SizeTree, limits: FoldLimits = pictureLimits): Folded {
  const kept = keep(tree, limits);
  const children = new Map<number, number[]>();
  const hidden = new Map<number, number>();
  for (let node = 1; node < tree.length; node += 1) {
    const parent = tree.parent(node);
    if (kept[node] === 1) {
      const known = children.get(parent);
      if (known === undefined) children.set(parent, [node]);
      else known.push(node);
    } else if (kept[parent] === 1) hidden.set(parent, (hidden.get(parent) ?? 0) + 1);
  }
  const fold = (node: number): Folded => {
    const own = (children.get(node) ?? []).toSorted(
      (a, b) => bytesOf(tree, b, "all") - bytesOf(tree, a, "all") || a - b,
    );
    const [current, old] = [tree.amount(node, "current"), tree.amount(node, "old")];
    const isFile = tree.isFile(node);
    const rest = (total: Amount, part: "current" | "old"): Amount =>
      // A file has nothing in it.
      isFile ? nothing : own.reduce((left, child) => minus(left, tree.amount(child, part)), total);
    return {
      name: tree.name(node),
      isFile,
      current,
      old,
      children: own.map(fold),
      more: {
        nodes: hidden.get(node) ?? 0,
        current: rest(current, "current"),
        old: rest(old, "old"),
      },
    };
  };
  return fold(0);
}

const nothing: Amount = { bytes: 0, files: 0 };

function minus(a: Amount, b: Amount): Amount {
  return { bytes: a.bytes - b.bytes, files: a.files - b.files };
}

/** Marks the largest nodes: no node is larger than its directory, so that one is marked before it. */
function keep(tree: SizeTree, limits: FoldLimits): Uint8Array {
  const depths = new Uint32Array(tree.length);
  for (let node = 1; node < tree.length; node += 1)
    depths[node] = (depths[tree.parent(node)] ?? 0) + 1;
  const kept = new Uint8Array(tree.length);
  kept[0] = 1;
  let [nodes, names] = [1, 0];
  for (const node of largest(tree, limits.nodes)) {
    if (nodes >= limits.nodes) break;
    const name = tree.name(node).length;
    // One monstrous name takes no space from the others.
    const fits = names + name <= limits.names && (depths[node] ?? 0) <= limits.depth;
    if (!fits || kept[tree.parent(node)] !== 1) continue;
    kept[node] = 1;
    nodes += 1;
    names += name;
  }
  return kept;
}

/** The nodes, the top aside, that are among the largest `count`, and those that are as large as the last. */
function largest(tree: SizeTree, count: number): number[] {
  const sizes = Float64Array.from({ length: tree.length }, (_, node) => bytesOf(tree, node, "all"));
  // A sort without a comparison of ours is many times as fast, and takes no memory.
  const least = sizes.toSorted()[Math.max(tree.length - count, 0)] ?? 0;
  const found: number[] = [];
  for (let node = 1; node < tree.length; node += 1)
    if ((sizes[node] ?? 0) >= least) found.push(node);
  return found.toSorted((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
}
