import type { UsageResult } from "../jobs/usage.ts";
import { bytesOf, type Of } from "../usage/choose.ts";
import { monthly, type Prices } from "../usage/prices.ts";
import type { SizeTree } from "../usage/tree.ts";
import { pathJson } from "./names.ts";

const pageLength = 1000;

/** The document of `--json`, some entries at a time: see docs/rclone-du.md. */
export function* usageJson(
  result: UsageResult,
  nodes: Iterable<number>,
  { of, prices }: { of: Of; prices: Prices | undefined },
): Generator<string> {
  const { tree, from, name, format, unread } = result;
  const head = JSON.stringify({
    version: 1,
    kind: "usage",
    from,
    name: name ?? null,
    format: format ?? null,
    unread: unread?.count ?? 0,
    of,
    sizes: result.sizes,
    prices: prices === undefined ? null : { storage_gb: prices.storage, files_1000: prices.files },
  });
  let page = `${head.slice(0, -1)},"entries":[`;
  let count = 0;
  for (const node of nodes) {
    const entry = JSON.stringify(entryJson(tree, node, of, prices));
    page += count === 0 ? entry : `,${entry}`;
    count += 1;
    if (count % pageLength !== 0) continue;
    yield page;
    page = "";
  }
  yield `${page}]}\n`;
}

function entryJson(tree: SizeTree, node: number, of: Of, prices: Prices | undefined): unknown {
  const [current, deleted] = [tree.amount(node, "current"), tree.amount(node, "old")];
  return {
    ...pathJson(tree.path(node)),
    type: tree.isFile(node) ? "file" : "directory",
    bytes: bytesOf(tree, node, of),
    current,
    deleted,
    ...(prices === undefined
      ? {}
      : {
          cost: {
            current: monthly(current, prices),
            deleted: monthly(deleted, prices),
          },
        }),
  };
}
