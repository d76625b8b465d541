import { amountOf, type Of } from "../usage/choose.ts";
import { monthly, type Prices } from "../usage/prices.ts";
import type { SizeTree } from "../usage/tree.ts";
import { pathBytes } from "./names.ts";

export interface UsageLook {
  readonly of: Of;
  /** `1.5G` instead of bytes. */
  readonly human: boolean;
  /** Adds a column of money where there are prices. */
  readonly prices: Prices | undefined;
  readonly toTerminal: boolean;
}

const pageLength = 1000;

/** A line `SIZE PATH` for each node, or `SIZE MONEY PATH`, some at a time. */
export function* usageLines(
  tree: SizeTree,
  nodes: Iterable<number>,
  { of, human, prices, toTerminal }: UsageLook,
): Generator<Buffer> {
  let page: Buffer[] = [];
  for (const node of nodes) {
    const amount = amountOf(tree, node, of);
    const size = human ? humanSize(amount.bytes).padStart(6) : String(amount.bytes);
    const money = prices === undefined ? "" : ` ${formatMoney(monthly(amount, prices))}`;
    page.push(
      Buffer.from(`${size}${money} `),
      pathBytes(tree.path(node), toTerminal),
      Buffer.from("\n"),
    );
    if (page.length < pageLength * 3) continue;
    yield Buffer.concat(page);
    page = [];
  }
  if (page.length > 0) yield Buffer.concat(page);
}

const units = ["", "K", "M", "G", "T", "P"];

/** As du -h writes sizes, one word that our own options take: `1.5G`, of 1024. */
function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // What would be rounded up to 1024 of a unit is 1.0 of the next.
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? String(bytes) : `${value.toFixed(value < 9.95 ? 1 : 0)}${units[unit] ?? ""}`;
}

/** Hundredths, and two figures of an amount that is smaller. */
function formatMoney(money: number): string {
  return money >= 0.1 || money === 0
    ? money.toFixed(2)
    : money.toFixed(Math.min(1 - Math.floor(Math.log10(money)), 9));
}
