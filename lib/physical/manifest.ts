import path from "node:path";
import * as v from "valibot";
import { readJson, writeJson } from "../state/jsonfile.ts";
import { isBackupName, kinds, manifestName } from "./names.ts";

const time = v.pipe(v.string(), v.isoTimestamp());
const lsn = v.pipe(v.string(), v.digits());
const name = v.pipe(v.string(), v.check(isBackupName));

const schema = v.object({
  version: v.literal(1),
  name,
  /** Grows from backup to backup: their order, whatever the clock does. */
  number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  kind: v.picklist(kinds),
  /** The full backup that the chain begins with; its own name for a full one. */
  chain: name,
  /** The backup before it in the chain. */
  base: v.nullable(name),
  started_at: time,
  /** From then on, what was changed is not in it. */
  finished_at: time,
  /** Version of the program that made it. */
  program: v.string(),
  /** Tells the server's data from those of another, or of a restored one. */
  server: v.string(),
  /** InnoDB's log sequence numbers, between which the changes lie. */
  from_lsn: lsn,
  to_lsn: lsn,
  /** When the chain up to it was prepared and found good. */
  tested_at: v.nullable(time),
  /** Why nothing may be built on it. */
  broken: v.nullable(v.object({ at: time, reason: v.string() })),
  /** Every file, its bytes and their digest. */
  files: v.array(
    v.tuple([v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(0)), v.string()]),
  ),
});

/** What stands in a backup about itself. */
export type Manifest = Readonly<v.InferOutput<typeof schema>>;

/** The manifest of a backup; undefined where there is none that makes sense. Throws where it can't be read. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const { value } = await readJson(path.join(directory, manifestName), schema, { setAside: false });
  return value;
}

/** Writes it: a temporary name, synced, renamed. Throws failed(). */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await writeJson(path.join(directory, manifestName), manifest);
}
