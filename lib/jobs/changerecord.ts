import { readRecord, writeRecord } from "../state/record.ts";
import type { StateFiles } from "./statefiles.ts";

/**
 * Says in the record, before it happens, that something other than a backup changes what is current:
 * the manifest no longer tells what the destination holds, and the next backup counts there. Without a
 * record it does so anyway; one that is damaged is left for the backup to tell of and set aside.
 */
export async function distrustManifest(files: Pick<StateFiles, "record">): Promise<void> {
  const { record } = await readRecord(files.record, { setAside: false });
  if (record !== undefined) await writeRecord(files.record, { ...record, trusted: false });
}
