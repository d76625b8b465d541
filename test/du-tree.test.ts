import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { chooseNodes, type Of } from "../lib/usage/choose.ts";
import { foldTree, type Folded } from "../lib/usage/fold.ts";
import { monthly } from "../lib/usage/prices.ts";
import { squarify, type Tile } from "../lib/usage/squarify.ts";
import { SizeTree, type Part } from "../lib/usage/tree.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";

interface Given {
  readonly segments: readonly string[];
  readonly size: number;
  readonly part: Part;
}

const segment = fc.oneof(
  fc.constantFrom("a", "b", "c", "aa", "..", " ", "é"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).map(cleanSegment),
);
const given: fc.Arbitrary<Given> = fc.record({
  segments: fc.array(segment, { minLength: 1, maxLength: 5 }),
  size: fc.oneof(fc.nat(100), fc.nat(2 ** 31 - 1)),
  part: fc.constantFrom("current", "old"),
});
const listing = fc.array(given, { maxLength: 60 });

/** No separator, and not the directory itself. */
function cleanSegment(text: string): string {
  const clean = text.replaceAll("/", "x").replaceAll("\0", "y");
  return clean === "." ? "z" : clean;
}

function treeOf(files: readonly Given[], options: { files: boolean }): SizeTree {
  const tree = new SizeTree({ ...options, names: "standard" });
  for (const { segments, size, part } of files)
    tree.add(rawFromText(segments.join("/")), size, part);
  return tree.total();
}

/** What stands below every directory, added up the slow way. */
function bruteForce(files: readonly Given[], of: Of): Map<string, number> {
  const sums = new Map<string, number>([[".", 0]]);
  for (const { segments, size, part } of files) {
    if (of !== "all" && part !== (of === "current" ? "current" : "old")) continue;
    for (let depth = 0; depth < segments.length; depth += 1) {
      const directory = depth === 0 ? "." : segments.slice(0, depth).join("/");
      sums.set(directory, (sums.get(directory) ?? 0) + size);
    }
  }
  return sums;
}

function told(tree: SizeTree, of: Of, minSize = 0, maxDepth?: number): [string, number][] {
  return [...chooseNodes(tree, { of, maxDepth, minSize })].map((node) => [
    Buffer.from(tree.path(node), "latin1").toString(),
    (of === "deleted" ? 0 : tree.bytes(node, "current")) +
      (of === "current" ? 0 : tree.bytes(node, "old")),
  ]);
}

const each: readonly Of[] = ["current", "deleted", "all"];

test("totals are those of a brute-force sum, for every directory", () => {
  fc.assert(
    fc.property(listing, fc.constantFrom(...each), (files, of) => {
      const expected = bruteForce(files, of);
      assert.deepEqual(new Map(told(treeOf(files, { files: false }), of)), expected);
    }),
    { numRuns: 300 },
  );
});

test("live and old together are all", () => {
  fc.assert(
    fc.property(listing, (files) => {
      const tree = treeOf(files, { files: true });
      const [live = 0, old = 0, all = 0] = each.map((of) => told(tree, of).at(-1)?.[1]);
      assert.equal(live + old, all);
      assert.equal(
        tree.amount(0, "current").files + tree.amount(0, "old").files,
        files.length,
        "every version is counted once",
      );
    }),
    { numRuns: 200 },
  );
});

test("lines grow, and a directory comes after what is in it, the top last", () => {
  fc.assert(
    fc.property(listing, fc.boolean(), (files, withFiles) => {
      const tree = treeOf(files, { files: withFiles });
      const lines = told(tree, "all");
      assert.equal(lines.at(-1)?.[0], ".");
      const seen = new Set<string>();
      let last = 0;
      for (const [path, size] of lines) {
        assert.ok(size >= last);
        last = size;
        const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
        assert.ok(path === "." || !seen.has(parent), `${path} after ${parent}`);
        // A file and a directory may have one name on some stores.
        if (!withFiles) seen.add(path);
      }
    }),
    { numRuns: 200 },
  );
});

test("a path's empty and . segments don't matter", () => {
  const tree = new SizeTree({ files: true, names: "standard" });
  for (const path of ["a/b", "./a/b", "/a//b", "a/./b"]) tree.add(rawFromText(path), 1, "current");
  assert.deepEqual(told(tree.total(), "current"), [
    ["a/b", 4],
    ["a", 4],
    [".", 4],
  ]);
});

test("depth and least size leave out lines, and change none", () => {
  fc.assert(
    fc.property(listing, fc.nat(3), fc.nat(1000), (files, depth, least) => {
      const tree = treeOf(files, { files: true });
      const expected = told(tree, "all").filter(
        ([path, size]) =>
          path === "." || (size >= least && path.split("/").length <= depth && depth > 0),
      );
      assert.deepEqual(told(tree, "all", least, depth), expected);
    }),
    { numRuns: 200 },
  );
});

test("names of the system are shown in rclone's encoding", () => {
  const tree = new SizeTree({ files: true, names: "system" });
  tree.add(rawFromText("a\nb/c"), 1, "current");
  assert.deepEqual(
    told(tree.total(), "current").map(([path]) => path),
    ["a␊b/c", "a␊b", "."],
  );
});

test("a hundred thousand directories and long names find their place again", () => {
  const tree = new SizeTree({ files: false, names: "standard" });
  for (const turn of [1, 2])
    for (let at = 0; at < 100_000; at += 1)
      tree.add(rawFromBytes(`d${at % 317}/e${at}/f`), turn, "current");
  tree.add(rawFromBytes(`${"x".repeat(300_000)}/f`), 1, "current");
  assert.equal(tree.length, 1 + 317 + 100_000 + 1);
  assert.equal(tree.total().bytes(0, "current"), 300_001);
});

/** Every node's bytes and files, and that what is in it adds up to them. */
function checkFolded(node: Folded): number {
  let count = 1;
  for (const part of ["current", "old"] as const) {
    for (const unit of ["bytes", "files"] as const) {
      const inside = node.children.reduce((sum, child) => sum + child[part][unit], 0);
      assert.ok(node.more[part][unit] >= 0);
      if (!node.isFile) assert.equal(inside + node.more[part][unit], node[part][unit]);
    }
  }
  for (const child of node.children) count += checkFolded(child);
  return count;
}

test("folding keeps within its limits and loses no byte", () => {
  fc.assert(
    fc.property(listing, fc.integer({ min: 1, max: 20 }), fc.nat(30), (files, nodes, names) => {
      const tree = treeOf(files, { files: true });
      const folded = foldTree(tree, { nodes, names, depth: 3 });
      const count = checkFolded(folded);
      assert.ok(count <= nodes);
      if (count === tree.length) assert.equal(folded.more.nodes, 0);
      const whole = foldTree(tree);
      assert.equal(checkFolded(whole), tree.length);
      assert.deepEqual(whole.current, tree.amount(0, "current"));
    }),
    { numRuns: 200 },
  );
});

test("the largest nodes are those that stay", () => {
  const files = Array.from({ length: 50 }, (_, at) => ({
    segments: [`d${at % 5}`, `f${at}`],
    size: 1000 + at,
    part: "current" as const,
  }));
  const folded = foldTree(treeOf(files, { files: true }), { nodes: 9, names: 1000, depth: 9 });
  const names = folded.children.flatMap(({ children }) => children.map(({ name }) => name));
  assert.deepEqual(names.toSorted(), ["f47", "f48", "f49"]);
  assert.equal(folded.children[0]?.more.nodes, 9);
});

test("tiles have areas in proportion, fill the rectangle and don't overlap", () => {
  const sizes = fc
    .array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 40 })
    .map((list) => list.toSorted((a, b) => b - a));
  const side = fc.integer({ min: 10, max: 2000 });
  fc.assert(
    fc.property(sizes, side, side, (list, width, height) => {
      const tiles = squarify(list, width, height);
      assert.equal(tiles.length, list.length);
      const sum = list.reduce((a, b) => a + b, 0);
      const near = 1e-6 * width * height;
      for (const [at, tile] of tiles.entries()) {
        const area = ((list[at] ?? 0) / sum) * width * height;
        assert.ok(Math.abs(tile.width * tile.height - area) < near, `area of ${at}`);
        assert.ok(tile.x > -1e-6 && tile.x + tile.width < width + 1e-6);
        assert.ok(tile.y > -1e-6 && tile.y + tile.height < height + 1e-6);
        for (const other of tiles.slice(at + 1)) assert.ok(shared(tile, other) < near);
      }
    }),
    { numRuns: 200 },
  );
});

function shared(a: Tile, b: Tile): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(width, 0) * Math.max(height, 0);
}

test("tiles of equal sizes are nearly square", () => {
  for (const { width, height } of squarify(Array(100).fill(7), 1000, 500)) {
    assert.ok(Math.max(width / height, height / width) < 2, `${width} x ${height}`);
  }
  assert.deepEqual(squarify([], 10, 10), []);
});

test("money is asked for decimal gigabytes and thousands of files", () => {
  const amount = { bytes: 2e12, files: 3000 };
  assert.equal(monthly(amount, { storage: 0.006, files: 0 }), 12);
  assert.equal(monthly(amount, { storage: 0, files: 0.5 }), 1.5);
});
