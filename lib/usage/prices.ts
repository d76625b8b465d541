import type { Amount } from "./tree.ts";

/** What a provider asks for a month, in any currency. */
export interface Prices {
  /** Of a GB, 10^9 bytes. */
  readonly storage: number;
  /** Of 1,000 stored files and versions; 0 at most providers. */
  readonly files: number;
}

/** What an amount costs in a month. */
export function monthly({ bytes, files }: Amount, prices: Prices): number {
  return (bytes / 1e9) * prices.storage + (files / 1000) * prices.files;
}
