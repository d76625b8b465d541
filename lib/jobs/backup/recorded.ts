import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { systemCode } from "../../errors.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { redactLocation } from "../../rclone/location.ts";
import type { Session } from "../session.ts";
import { rootOf, type StateFiles } from "../statefiles.ts";

/** What the record of a backup says of it, whatever else may be wrong with that record. */
export interface Recorded {
  readonly directory: string;
  readonly name: string;
  readonly config: string;
  /** Redacted. */
  readonly destination: string;
  /** Files that the last run left there. */
  readonly held: number;
}

const schema = v.object({
  ...{ name: v.string(), config: v.string() },
  ...{ destination: v.string(), held: v.number() },
});

/** The backups that ran with this state directory. */
export async function recordedBackups(session: Session): Promise<Recorded[]> {
  const parent = join(rootOf(session), "backups");
  const found: Recorded[] = [];
  for (const name of await namesIn(parent)) {
    const directory = join(parent, name);
    const recorded = await recordedIn(join(directory, "state.json"));
    if (recorded !== undefined) found.push({ ...recorded, directory });
  }
  return found;
}

/**
 * How many files the last run left at the destination when the record does not tell. Another
 * password or a remote made anew puts the destination elsewhere, where there is no record yet; then
 * the record of the same configuration with the same words for the destination says what should be
 * there. Where the record is lost, the manifest beside it does.
 */
export async function heldWithoutRecord(session: Session, files: StateFiles): Promise<number> {
  const destination = redactLocation(session.backup.destination);
  const elsewhere = (await recordedBackups(session))
    .filter(({ directory }) => directory !== files.directory)
    .filter((other) => other.config === session.backup.file && other.destination === destination)
    .map(({ held }) => held);
  return Math.max(0, ...elsewhere, await countManifest(files.manifest));
}

async function countManifest(file: string): Promise<number> {
  let count = 0;
  try {
    for await (const page of readManifest(file)) count += page.length;
  } catch (error) {
    if (!(error instanceof DamagedManifest) && systemCode(error) !== "ENOENT") throw error;
  }
  return count;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // A file on the way is told by whoever makes the directory.
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw error;
  }
}

async function recordedIn(file: string): Promise<v.InferOutput<typeof schema> | undefined> {
  try {
    return v.parse(schema, JSON.parse(await readFile(file, "utf8")));
  } catch {
    // A record that is damaged or not there tells nothing.
    return undefined;
  }
}
