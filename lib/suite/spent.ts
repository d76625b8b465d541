import * as v from "valibot";
import { readJson, writeJson } from "../state/jsonfile.ts";

const cost = { bytes: v.number(), transactions: v.number() };

const schema = v.object({
  version: v.literal(1),
  /** As the provider counts days. */
  day: v.string(),
  ...cost,
  /** By the paths of their configurations. */
  backups: v.optional(
    v.record(
      v.string(),
      v.object({
        /** On which it was last given something; absent: never. */
        day: v.optional(v.string()),
        ...cost,
        hashTriedAt: v.optional(v.string()),
      }),
    ),
  ),
});

/** What verification of one backup cost on the last day on which it did. */
export interface SpentOnBackup {
  readonly day?: string | undefined;
  readonly bytes: number;
  readonly transactions: number;
  /** When a comparison of all checksums was last begun. */
  readonly hashTriedAt?: string | undefined;
}

/** What verification cost on a day: budget.json. */
export interface Spent {
  readonly day: string;
  /** Plain bytes of the files that were read back. */
  readonly bytes: number;
  readonly transactions: number;
  readonly backups: Readonly<Record<string, SpentOnBackup>>;
}

export interface ReadSpent {
  readonly spent: Spent;
  /** Where a damaged file is now. */
  readonly damaged: string | undefined;
}

/**
 * What was spent on this day; nothing on a new one. A damaged file is set aside and told: then nobody knows,
 * and nothing counts. Throws when the file exists and can't be read.
 */
export async function readSpent(file: string, day: string): Promise<ReadSpent> {
  const { value, damaged } = await readJson(file, schema, { setAside: true });
  const known = value?.day === day ? value : { bytes: 0, transactions: 0 };
  const { bytes, transactions } = known;
  return { spent: { day, bytes, transactions, backups: value?.backups ?? {} }, damaged };
}

/** Writes budget.json: a temporary name, synced, renamed. Throws failed(). */
export async function writeSpent(file: string, spent: Spent): Promise<void> {
  await writeJson(file, { version: 1, ...spent });
}
