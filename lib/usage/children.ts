import type { SizeTree } from "./tree.ts";

const none = 0xffff_ffff;

/** Which nodes are in which directory, in the order in which they were first seen. */
export class Children {
  readonly #first: Uint32Array;
  readonly #next: Uint32Array;

  constructor(tree: SizeTree) {
    this.#first = new Uint32Array(tree.length).fill(none);
    this.#next = new Uint32Array(tree.length).fill(none);
    for (let node = tree.length - 1; node > 0; node -= 1) {
      const parent = tree.parent(node);
      this.#next[node] = this.#first[parent] ?? none;
      this.#first[parent] = node;
    }
  }

  /** The first node in a directory; undefined where it is empty. */
  first(node: number): number | undefined {
    const first = this.#first[node];
    return first === none ? undefined : first;
  }

  /** The next node in the same directory. */
  next(node: number): number | undefined {
    const next = this.#next[node];
    return next === none ? undefined : next;
  }
}
