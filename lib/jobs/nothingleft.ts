import { lookForFiles } from "../rclone/listing.ts";
import { readRecord } from "../state/record.ts";
import { formatFiles } from "../units/format.ts";
import { heldWithoutRecord } from "./backup/recorded.ts";
import type { Session } from "./session.ts";
import type { StateFiles } from "./statefiles.ts";

interface Held {
  readonly session: Session;
  readonly files: StateFiles;
}

/**
 * What is wrong where nothing is left at the destination of what the last run left; undefined where
 * something is there, or should not be. `known`: so many files are known to belong there from elsewhere.
 */
export async function nothingLeft(
  { session, files }: Held,
  known = 0,
): Promise<string | undefined> {
  const { record } = await readRecord(files.record, { setAside: false });
  const before = Math.max(record?.held ?? (await heldWithoutRecord(session, files)), known);
  if (before === 0) return undefined;
  const { rclone, destination, tuning, world } = session;
  const { top } = await lookForFiles(rclone, destination, tuning, world.signal);
  if (top === "files") return undefined;
  const found = top === "empty" ? "none" : "no such directory";
  return `destination: expected ${formatFiles(before)} as the last run left, found ${found}`;
}
